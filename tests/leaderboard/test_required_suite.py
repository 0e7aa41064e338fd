"""A board has one required suite, and the order in which suites stand decides nothing."""

from __future__ import annotations

import itertools

from bot.lineage.model_card import render_card
from bot.lineage.publish_policy import policy_allows
from leaderboard.build_board import build_board, required_suite
from leaderboard.record import Record
from leaderboard.record_results import SuiteResult
from leaderboard.render.board_export import board_json
from leaderboard.render.pull_request_report import report_markdown
from leaderboard.verdict import Verdict, judge, main_suite
from tests.leaderboard.samples import record_of


def suites_of() -> list[SuiteResult]:
    """Three suites on which one merge is better, worse, and no different."""
    found = []
    for name, shares in (
        ("b-quick", (0.75, 0.85, 0.80)),
        ("a-chat", (0.30, 0.90, 0.50)),
        ("c-math", (0.55, 0.85, 0.55)),
    ):
        (suite,) = record_of(shares=shares).suites
        found.append(suite.model_copy(update={"suite": name, "digest": f"sha-{name}"}))
    return found


def records(order: tuple[int, ...]) -> list[Record]:
    suites = suites_of()
    mixed = record_of("steady", suites=[suites[place] for place in order])
    quick = record_of("steady", run_key="run-2", merge_key="m2", suites=[suites[0]])
    return [mixed, quick]


def test_the_order_of_suites_changes_no_word_policy_or_row() -> None:
    faces = set()
    for order in itertools.permutations(range(3)):
        mixed, quick = records(order)
        faces.add(
            (
                board_json(build_board([mixed, quick])),
                render_card(mixed),
                render_card(mixed, required="b-quick"),
                report_markdown(mixed, required="c-math"),
                judge(mixed),
                policy_allows(mixed, "not-worse"),
                policy_allows(mixed, "not-worse", required="b-quick"),
            )
        )
    assert len(faces) == 1


def test_the_required_suite_is_that_of_most_records_then_the_first_by_name() -> None:
    mixed, quick = records((2, 1, 0))
    assert required_suite([mixed, quick]) == "b-quick"
    assert required_suite([mixed]) == "a-chat"
    assert required_suite([]) is None
    board = build_board([mixed, quick])
    assert board.suite is not None
    assert board.suite.suite == "b-quick"
    chosen = build_board([mixed, quick], suite="c-math")
    assert chosen.suite is not None
    assert chosen.suite.suite == "c-math"


def test_the_verdict_is_the_required_suites() -> None:
    mixed, _ = records((0, 1, 2))
    assert judge(mixed, required="b-quick").verdict is Verdict.BETTER
    assert judge(mixed, required="a-chat").verdict is Verdict.WORSE
    assert policy_allows(mixed, "better", required="b-quick")
    assert not policy_allows(mixed, "better", required="a-chat")
    first = main_suite(mixed)
    assert first is not None
    assert first.suite == "a-chat"
