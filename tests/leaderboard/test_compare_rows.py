from __future__ import annotations

from dataclasses import replace

import pytest

from leaderboard.board_errors import BoardError
from leaderboard.build_board import Samples, build_board
from leaderboard.compare_rows import RowComparison, against, chosen_rows
from leaderboard.flips import flipped_items
from leaderboard.render.comparison_page import compare_html, compare_markdown, summary
from tests.leaderboard.markup import accessibility_faults, parse
from tests.leaderboard.samples import record_of, scores_of
from tests.leaderboard.test_build_board import SCORES
from tests.present import present

GOOD, FAIR = record_of("good"), record_of("fair", (0.55, 0.85, 0.60))
BOARD = build_board([GOOD, FAIR])


def compared(first: str, second: str, samples: Samples = SCORES.get) -> RowComparison:
    baseline, row = chosen_rows(BOARD, [first, second])
    return against(baseline, row, BOARD, samples)


def test_any_two_models_are_compared_item_by_item() -> None:
    found = compared("fair", "good")
    assert present(found.comparison).overall.delta == pytest.approx((0.20 + 0.0 + 0.20) / 3)
    assert found.wins == (2, 2)
    assert summary(found).startswith("▲ good against fair: +13.3 [")
    assert "over 600 shared items" in summary(found)


def test_swapping_negates_every_difference() -> None:
    there, back = compared("fair", "good").comparison, compared("good", "fair").comparison
    assert present(there).overall.delta == -present(back).overall.delta
    assert [row.delta for row in present(there).tasks] == [
        -row.delta for row in present(back).tasks
    ]


def test_flips_sum_to_the_discordant_pairs() -> None:
    found = compared("fair", "good")
    for row in present(found.comparison).tasks:
        flips = found.flips[row.task]
        assert (flips.gained, flips.lost) == (present(row.discordant).b, present(row.discordant).c)
        assert len(flips.gained_items) == min(5, flips.gained)
    ours, theirs = SCORES["digest-good"]["reverse"], SCORES["digest-fair"]["reverse"]
    item = flipped_items(ours, theirs).gained_items[0].number
    assert (ours.scores[item], theirs.scores[item]) == (1, 0)


def test_only_shared_tasks_are_compared_and_the_others_named() -> None:
    fewer = {key: scores for key, scores in SCORES["digest-fair"].items() if key != "sort"}
    found = compared("fair", "good", {**SCORES, "digest-fair": fewer}.get)
    assert [row.task for row in present(found.comparison).tasks] == ["reverse", "shift"]
    assert present(found.comparison).overall.delta == pytest.approx(0.2)
    assert summary(found).endswith("not compared: sort")


def test_what_is_not_comparable_has_words_and_no_number() -> None:
    other = {"poems": replace(SCORES["base"]["sort"], task="poems")}
    found = compared("fair", "good", {**SCORES, "digest-fair": other}.get)
    assert found.comparison is None
    assert summary(found) == "○ good and fair are not comparable: they share no task"
    longer = scores_of((0.5, 0.5, 0.5), n=210)
    found = compared("fair", "good", {**SCORES, "digest-fair": longer}.get)
    assert "not scored on the same items" in summary(found)
    assert "+" not in summary(found)


def test_without_samples_the_record_is_asked() -> None:
    assert compared("base", "good", lambda _: None).comparison == GOOD.suites[0].comparisons[0]
    assert "not published here" in present(compared("fair", "good", lambda _: None).refusal)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (["good"], "two to 4"),
        (["good", "fair", "base", "sort-ft", "x"], "not 5"),
        (["good", "digest-good"], "itself"),
        (["good", "nobody"], "no model nobody"),
    ],
)
def test_other_choices_are_refused_with_words(keys: list[str], says: str) -> None:
    with pytest.raises(BoardError, match=says):
        chosen_rows(BOARD, keys)


def test_page_and_markdown_hold_the_same_table() -> None:
    pairs = [compared("fair", "good"), compared("fair", "base")]
    page, text = compare_html(pairs, BOARD), compare_markdown(pairs, BOARD)
    assert accessibility_faults(page) == []
    rows = [[cell.words for cell in row.children] for row in parse(page).all("table")[0].all("tr")]
    pasted = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert [row[2:] for row in rows[1:]] == [row[2:] for row in pasted[2:]]
    assert "The recipes are the same." in page
