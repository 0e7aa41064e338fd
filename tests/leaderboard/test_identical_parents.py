"""A merge that is one of its parents, or answers as one, is never better than them."""

from __future__ import annotations

import pytest

from bot.lineage.model_card import render_card
from bot.lineage.publish_policy import policy_allows
from leaderboard.build_board import build_board
from leaderboard.record import Record, dump_record, parse_record
from leaderboard.render.board_table import table_html
from leaderboard.render.model_page import model_html
from leaderboard.render.pull_request_report import report_markdown
from leaderboard.render.terminal_table import board_text
from leaderboard.sample_scores import TaskScores
from leaderboard.verdict import Verdict, judge, sentence
from tests.leaderboard.samples import parent, record_of, scores_of, suite_of

BASE, STRONG = (0.60, 0.60, 0.60), (0.45, 0.95, 0.95)


def copy_of(key: str, *, with_comparison: bool = True) -> Record:
    """A record of a merge whose weights are those of one of its parents, base or strong."""
    shares = {"base": BASE, "strong": STRONG}
    parents = {name: scores_of(found) for name, found in shares.items()}
    suite = suite_of(scores_of(shares[key]), parents, key=key)
    if not with_comparison:  # as the version before wrote it
        others = tuple(found for found in suite.comparisons if found.parent != key)
        suite = suite.model_copy(update={"comparisons": others, "selection": None})
    record = record_of("copy", parents=shares, suites=(suite,), model_digest=key)
    return parse_record(dump_record(record))


@pytest.mark.parametrize("with_comparison", [True, False])
@pytest.mark.parametrize("key", ["base", "strong"])
def test_equal_weights_are_identical_on_every_face(key: str, with_comparison: bool) -> None:
    record = copy_of(key, with_comparison=with_comparison)
    found = judge(record)
    assert found.verdict is Verdict.IDENTICAL
    assert (found.words, found.symbol) == (f"identical to {key}", "≡")
    assert not found.holds
    assert (found.claim_p, found.best_parent) == (1.0, "strong")
    expected = 0.0 if key == "strong" else -(0.95 + 0.95 + 0.45 - 1.8) / 3
    assert found.delta == pytest.approx(expected)
    if key == "strong":
        assert (found.low, found.high) == (0, 0)
    assert sentence(found, "copy").startswith(f"≡ copy is identical to {key}: ")
    board = build_board([record])
    faces = [
        render_card(record),
        report_markdown(record),
        board_text(board),
        table_html(board, page_of=lambda row: row.key),
        model_html(board.row("copy"), board),
    ]
    for face in faces:
        assert f"identical to {key}" in face
        assert "better than every" not in face
        assert "✓ " not in face.split("✓ marks")[0]


def test_a_copy_is_published_under_no_policy() -> None:
    record = copy_of("base")
    assert not any(policy_allows(record, policy) for policy in ("all", "not-worse", "better"))


def test_a_copy_and_its_parent_are_two_rows() -> None:
    board = build_board([copy_of("strong")])
    assert sorted(row.name for row in board.rows) == ["base", "copy", "strong"]
    assert len({row.key for row in board.rows}) == 3
    assert board.row("copy").digest == board.row("strong").digest == "strong"
    assert board.row("copy").headline == board.row("strong").headline


def test_a_copy_is_known_before_it_is_evaluated() -> None:
    record = copy_of("base").model_copy(update={"suites": ()})
    assert sentence(judge(record), "copy") == "≡ copy is identical to base"


def other_wrong_answers(scores: dict[str, TaskScores]) -> dict[str, TaskScores]:
    from tests.leaderboard.samples import in_words

    return {task: in_words(found, answer="other") for task, found in scores.items()}


def answering(shares: tuple[float, ...], *, words: bool = False) -> Record:
    from tests.leaderboard.samples import in_words

    mine, parents = scores_of(shares), {"base": scores_of(BASE), "strong": scores_of(STRONG)}
    if words:
        mine = other_wrong_answers(mine)
        parents = {
            key: {task: in_words(found) for task, found in one.items()}
            for key, one in parents.items()
        }
    suite = suite_of(mine, parents, key="digest-m")
    return record_of("m", parents={"base": BASE, "strong": STRONG}, suites=(suite,))


@pytest.mark.parametrize(("shares", "key"), [(BASE, "base"), (STRONG, "strong")])
def test_other_weights_with_the_same_answers(shares: tuple[float, ...], key: str) -> None:
    record = answering(shares)
    found = judge(record)
    assert found.verdict is Verdict.SAME_ANSWERS
    assert found.words == f"same answers as {key}"
    assert not found.holds
    allowed = [policy_allows(record, policy) for policy in ("all", "not-worse", "better")]
    assert allowed == [True, True, False]
    assert not build_board([record]).row("m").holds


def test_scores_that_agree_where_answers_differ_are_not_the_same_answers() -> None:
    assert judge(answering(STRONG, words=True)).verdict is Verdict.AS_GOOD


def test_parents_that_are_identical_to_each_other_share_one_comparison() -> None:
    record = record_of("m", (0.80, 0.95, 0.90))
    twin = parent("base").model_copy(update={"name": "another", "role": "model"})
    both = record.model_copy(update={"parents": (*record.parents, twin)})
    plain, found = judge(record), judge(both)
    assert (found.verdict, found.p, found.delta) == (plain.verdict, plain.p, plain.delta)
    assert both.parent_names()["base"] == "another = base"
    assert "another = base" in report_markdown(both)


def test_an_equal_parent_more_does_not_make_the_merge_worse() -> None:
    scores = scores_of((0.44, 0.93, 0.54))
    strong = scores_of((0.45, 0.95, 0.55))
    one = suite_of(scores, {"a": strong})
    two = suite_of(scores, {"a": strong, "b": strong})
    assert one.selection is not None
    assert two.selection is not None
    assert len(two.selection.contenders) == len(one.selection.contenders) == 1
