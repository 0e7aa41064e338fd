"""Items only one of two models gets right: counted always, in words where words were kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from leaderboard.build_board import build_board
from leaderboard.compare_rows import against, chosen_rows
from leaderboard.flips import EXAMPLES, flipped_items
from leaderboard.item_texts import TEXT_COLUMNS
from leaderboard.render.comparison_page import compare_html
from leaderboard.render.flips_table import MOST_SHOWN
from leaderboard.sample_scores import TaskScores
from tests.leaderboard.markup import accessibility_faults, parse
from tests.leaderboard.samples import HOSTILE_TEXTS, in_words, record_of, scores_of
from tests.leaderboard.test_sample_scores import task


def page_of(ours: TaskScores, theirs: TaskScores) -> str:
    board = build_board([record_of("good"), record_of("fair", (0.55, 0.85, 0.60))])
    baseline, row = chosen_rows(board, ["fair", "good"])
    samples = {"digest-good": {"sort": ours}, "digest-fair": {"sort": theirs}}
    return compare_html([against(baseline, row, board, samples.get)], board)


def test_words_belong_to_their_item_in_whatever_order_the_items_are() -> None:
    ours = in_words(task([1, 1, 0, 1], ids=(3, 1, 2, 0)), "ours")
    theirs = in_words(task([0, 0, 1, 1], ids=(0, 1, 2, 3)), "theirs")
    found = flipped_items(ours, theirs)
    assert [item.number for item in found.gained_items] == [0, 1]
    words = found.gained_items[0].words
    assert words is not None
    assert (words.question, words.expected) == ("question 3", "expected 3")
    assert (words.ours, words.theirs) == ("ours 3", "theirs 0")
    assert [item.number for item in found.lost_items] == [2]


@pytest.mark.parametrize("without", ["ours", "theirs", "both"])
def test_without_both_texts_there_are_numbers_only(without: str) -> None:
    ours, theirs = task([1, 0, 1]), task([0, 1, 1])
    if without == "ours":
        theirs = in_words(theirs)
    if without == "theirs":
        ours = in_words(ours)
    found = flipped_items(ours, theirs)
    assert not found.in_words
    page = page_of(ours, theirs)
    assert "gained 0 · lost 1" in page
    assert "<details>" not in page


def test_examples_show_question_answer_and_who_was_right() -> None:
    page = page_of(in_words(task([1, 0, 1]), "good"), in_words(task([0, 1, 1]), "fair"))
    assert accessibility_faults(page) == []
    (table,) = parse(page).all("details")
    assert table.all("summary")[0].words == "Sort: 2 of 2 flips"
    rows = [[cell.words for cell in row.children] for row in table.all("tr")]
    assert rows == [
        ["Item", "Expected", "good", "fair"],
        ["#0 question 0", "expected 0", "✓right: good 0", "✗wrong: fair 0"],
        ["#1 question 1", "expected 1", "✗wrong: good 1", "✓right: fair 1"],
    ]


def test_strangers_texts_are_escaped_short_and_on_one_line() -> None:
    texts: dict[str, Any] = dict.fromkeys(TEXT_COLUMNS, HOSTILE_TEXTS)
    answers = in_words(task([1] * 5), **texts)
    page = page_of(answers, in_words(task([0] * 5), answers=HOSTILE_TEXTS))
    assert accessibility_faults(page) == []
    tree = parse(page)
    assert not list(tree.all("img"))
    assert not list(tree.all("b"))
    assert "\u202e" not in page
    assert "\u200b" not in page
    shown = [node.words for node in tree.all("bdi")]
    assert HOSTILE_TEXTS[0] in shown
    assert max(len(text) for text in shown) <= MOST_SHOWN
    assert any("…" in text for text in shown)


def test_no_flips_and_thousands_of_flips_stay_small() -> None:
    same = in_words(task([1, 0, 1]))
    quiet = page_of(same, same)
    assert "+0 / −0" in quiet
    assert "gained — · lost —" in page_of(task([1, 0]), task([1, 0]))
    assert "<details>" not in quiet
    n = 6_000
    ours, theirs = np.arange(n) % 2, 1 - np.arange(n) % 2
    loud = page_of(in_words(task(ours)), in_words(task(theirs)))
    assert "+3,000 / −3,000" in loud
    assert f"{2 * EXAMPLES} of 6,000 flips" in loud
    assert len(loud) < len(quiet) + 8_000


def test_an_empty_answer_is_a_dash() -> None:
    silent = in_words(task([0]), answers=("",))
    assert "wrong:</span> —" in page_of(silent, in_words(task([1])))


def test_scores_alone_compare_as_before() -> None:
    ours, theirs = scores_of((0.5, 0.5, 0.5)), scores_of((0.4, 0.6, 0.5))
    plain = flipped_items(ours["reverse"], theirs["reverse"])
    told = flipped_items(in_words(ours["reverse"]), in_words(theirs["reverse"]))
    assert (plain.gained, plain.lost) == (told.gained, told.lost)
