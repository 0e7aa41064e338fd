"""The audit's simulations in short, seeded; the long ones are the benchmark's and slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evidence import (
    SCENARIOS,
    Scenario,
    best_of_many,
    demo_claim,
    false_marks,
    rank_errors,
    verdict_errors,
    write,
)


@pytest.mark.parametrize(
    ("trials", "slack"), [(120, 0.055), pytest.param(2_000, 0.013, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("parents", [1, 2, 4, 6])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda found: found.name)
def test_words_are_seldom_false_and_intervals_hold_the_truth(
    scenario: Scenario, parents: int, trials: int, slack: float
) -> None:
    found = verdict_errors(scenario, parents, trials)
    assert found.better <= 0.05 + slack
    assert found.worse <= 0.05 + slack
    # Where few items differ at all, intervals of right-or-wrong items hold the truth more often.
    highest = 1.0 if scenario.likeness > 0.9 or trials < 1_000 else 0.96 + slack
    assert 0.95 - slack <= found.covered <= highest


@pytest.mark.parametrize(
    ("trials", "slack"), [(100, 0.06), pytest.param(2_000, 0.013, marks=pytest.mark.slow)]
)
def test_the_best_of_twenty_is_corrected_for_twenty(trials: int, slack: float) -> None:
    assert best_of_many(20, trials) <= 0.05 + slack


@pytest.mark.parametrize(
    ("claims", "boards", "slack"),
    [
        (10, 100, 0.06),
        (250, 20, 0.15),
        pytest.param(10_000, 60, 0.08, marks=pytest.mark.slow),
    ],
)
def test_boards_of_false_claims_seldom_show_a_mark(claims: int, boards: int, slack: float) -> None:
    assert false_marks(claims, boards) <= 0.05 + slack


def test_ranks_of_ten_equal_models_are_seldom_wrong() -> None:
    assert rank_errors(10, 150) <= 0.05


def test_the_demos_claim_holds_among_ten_thousand() -> None:
    assert 1e-7 < demo_claim() < 0.05


def test_the_page_says_when_where_and_how(tmp_path: Path) -> None:
    place = tmp_path / "evidence.md"
    lines = list(write(2, place, boards_of={10: 1}))
    text = place.read_text("utf-8")
    assert text.splitlines() == lines
    assert "python -m benchmarks evidence" in text
    assert text.count("| equal models |") == 6
