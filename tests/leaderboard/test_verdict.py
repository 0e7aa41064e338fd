from __future__ import annotations

import pytest
from scipy.stats import norm

from leaderboard.record_results import Comparison, Difference, NonInferiority, Selection
from leaderboard.verdict import Verdict, VerdictDetail, evidence, judge, sentence
from tests.leaderboard.samples import failed_record, record_of

BASE = record_of()
SUITE = BASE.suites[0]


def comparison(
    parent: str,
    *,
    greater: float | None = None,
    less: float | None = None,
    kept: float = 0.5,
    cap: float | None = None,
) -> Comparison:
    """A comparison with a standard error of one point and this one-sided p value."""
    z = float(norm.isf(greater) if greater is not None else norm.ppf(less or 0.5))
    overall = Difference(
        delta=0.01 * z,
        low=0.01 * (z - 1.96),
        high=0.01 * (z + 1.96),
        p_greater=float(norm.sf(z)),
        p_less=float(norm.cdf(z)),
        p_two_sided=float(2 * norm.sf(abs(z))),
        n=600,
        mde=0.028,
        test="studentized",
        stderr=0.01,
    )
    return Comparison(
        parent=parent,
        tasks=(),
        overall=overall,
        noninferiority=NonInferiority(margin=0.01, p=kept),
        cap_gap=cap,
    )


def judged(base: dict[str, float], best: dict[str, float]) -> VerdictDetail:
    """Judge comparisons with the base and with the better parent ``sort-ft``."""
    suite = SUITE.model_copy(
        update={
            "comparisons": (comparison("base", **base), comparison("sort-ft", **best)),
            "selection": Selection(contenders=("sort-ft",), correlation=0.0),
        }
    )
    return judge(BASE, suite)


@pytest.mark.parametrize(
    ("base", "best", "verdict", "p"),
    [
        ({"greater": 0.001}, {"greater": 0.02}, Verdict.BETTER, 0.04),
        ({"greater": 0.024}, {"greater": 0.001}, Verdict.BETTER, 0.048),
        ({"greater": 0.001}, {"greater": 0.03}, Verdict.UNDETECTED, 0.06),
        ({"greater": 0.03}, {"greater": 0.001}, Verdict.UNDETECTED, 0.06),
        ({"greater": 0.001}, {"greater": 0.99, "less": 0.01}, Verdict.WORSE, 0.02),
        ({"less": 0.001}, {"less": 0.2}, Verdict.UNDETECTED, 0.4),
        ({"kept": 0.01}, {"kept": 0.02}, Verdict.AS_GOOD, 0.02),
        ({"kept": 0.03}, {"kept": 0.02}, Verdict.UNDETECTED, 1.0),
        ({}, {"kept": 0.03}, Verdict.UNDETECTED, 1.0),
        ({}, {"less": 0.01, "kept": 0.001}, Verdict.WORSE, 0.02),
        (
            {"greater": 0.001, "kept": 0.001},
            {"greater": 0.001, "kept": 0.001, "cap": 0.03},
            Verdict.AS_GOOD,
            0.001,
        ),
        ({"greater": 0.001, "cap": 0.03}, {"greater": 0.001}, Verdict.UNDETECTED, 0.002),
        ({"greater": 0.001, "cap": 0.02}, {"greater": 0.001}, Verdict.BETTER, 0.002),
    ],
)
def test_the_word_and_its_p(
    base: dict[str, float], best: dict[str, float], verdict: Verdict, p: float
) -> None:
    found = judged(base, best)
    assert found.verdict is verdict
    assert found.p == pytest.approx(p)
    assert found.best_parent == "sort-ft"


def test_beating_one_of_two_is_a_note() -> None:
    found = judged({"greater": 0.001}, {})
    assert found.notes == ("better than some: base",)
    assert judged({}, {}).notes == ()


def test_the_length_cap_is_named() -> None:
    found = judged({"greater": 0.001}, {"greater": 0.001, "cap": 0.031})
    assert any("3.1 points from sort-ft's" in note for note in found.notes)
    assert found.claim_p == pytest.approx(0.002)


def test_the_words_are_the_agreed_ones_in_the_agreed_order() -> None:
    assert [verdict.value for verdict in Verdict][:4] == [
        "better than every parent",
        "worse than its best parent",
        "as good as its best parent",
        "no detectable difference",
    ]
    assert [verdict.symbol for verdict in Verdict] == list("▲▼≈?≡=·○✕")


@pytest.mark.parametrize(
    ("shares", "starts"),
    [
        ((0.75, 0.85, 0.80), "▲ m is better than every parent: +15.0 ["),
        ((0.30, 0.90, 0.50), "▼ m is worse than its best parent: −8.3 ["),
        ((0.45, 0.95, 0.55), "= m gives the same answers as sort-ft: 0.0 ["),
        ((0.455, 0.945, 0.55), "≈ m is as good as its best parent: 0.0 ["),
        ((0.55, 0.85, 0.55), "? m shows no detectable difference: 0.0 ["),
    ],
)
def test_real_scores_speak_for_themselves(shares: tuple[float, ...], starts: str) -> None:
    text = sentence(judge(record_of(shares=shares)), "m")
    assert text.startswith(starts)
    assert "points against sort-ft, p " in text
    assert "this test could detect differences of " in text


def test_what_cannot_be_judged_says_so() -> None:
    pending = record_of(suites=())
    orphan = record_of(suites=(SUITE.model_copy(update={"comparisons": ()}),))
    assert sentence(judge(pending), "m") == "○ m: not evaluated yet"
    assert sentence(judge(orphan), "m") == "· m: no parent to compare with"
    assert sentence(judge(failed_record()), "broken") == (
        "✕ broken failed in stage check: layer 3: q_proj holds 12 NaN"
    )
    assert evidence(judge(pending)) == ""


def test_lost_tasks_are_named_even_of_a_better_merge() -> None:
    assert "worse on Sort (−10.0)" in judge(record_of()).notes
