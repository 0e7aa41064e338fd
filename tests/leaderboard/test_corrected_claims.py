"""A claim is corrected for every attempt that is disclosed, and looks the part everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bot.lineage.model_card import render_card
from leaderboard.build_board import attempts_by_family, build_board
from leaderboard.record import Attempts, Record
from leaderboard.render.board_export import board_records
from leaderboard.render.board_json import board_data
from leaderboard.render.board_table import table_html
from leaderboard.render.model_page import model_html
from leaderboard.render.pull_request_report import report_markdown
from leaderboard.render.terminal_table import board_text
from leaderboard.sample_scores import TaskScores
from leaderboard.verdict import judge, sentence
from tests.leaderboard.samples import record_of, scores_of, suite_of
from tests.leaderboard.test_sample_scores import task

NEAR = (0.475, 0.965, 0.560)  # better, at a p value of about 0.002


def near(count: int | None, name: str = "near") -> Record:
    return record_of(name, NEAR, attempts=Attempts(family="skills", count=count))


def faces(record: Record) -> dict[str, str]:
    board = build_board([record])
    return {
        "card": render_card(record),
        "report": report_markdown(record),
        "terminal": board_text(board).split("2–4 means")[0],
        "table": table_html(board, page_of=lambda row: row.key),
        "page": model_html(board.row("near"), board),
        "json": json.dumps(board_records(board), ensure_ascii=False),
    }


@pytest.mark.parametrize(("count", "holds"), [(1, True), (5, True), (400, False), (None, False)])
def test_a_claim_has_one_look_on_every_face(count: int | None, holds: bool) -> None:
    record = near(count)
    p = judge(record).claim_p
    assert p is not None
    assert 1e-4 < p < 0.009
    assert judge(record).holds == holds
    for name, face in faces(record).items():
        assert ("provisional" in face) == (not holds), name
        if name != "json":
            assert ("△" in face) == (not holds), name
            assert ("▲ near" in face or "▲" in face) or not holds, name
    data = board_data(build_board([record]))
    assert data["columns"]["holds"][0] == int(holds)  # what the chip counts
    look = data["verdicts"][data["columns"]["verdict"][0]]
    assert look[2] == ("better" if holds else "provisional")


def test_the_line_says_for_how_many_attempts_p_is_corrected() -> None:
    alone = judge(near(1)).claim_p
    assert alone is not None
    assert f"p = {alone:.3f}, this test" in sentence(judge(near(1)), "m")
    assert f"p = {5 * alone:.3f} corrected for 5 attempts" in sentence(judge(near(5)), "m")
    assert f"p = {alone:.3f} alone, p = 0." in sentence(judge(near(100)), "m")
    assert "corrected for 100 attempts" in sentence(judge(near(100)), "m")
    assert "the number of attempts is unknown" in sentence(judge(near(None)), "m")


def test_attempts_are_counted_over_suites_and_logs() -> None:
    def of(name: str, count: int | None, log: str | None, in_log: int | None = None) -> Record:
        attempts = Attempts(family="f", count=count, log=log, in_log=in_log)
        return record_of(name, attempts=attempts)

    assert attempts_by_family([of("a", 3, None), of("b", 5, None)]) == {"f": 5}
    assert attempts_by_family([of("a", 3, "l1"), of("b", 5, "l2")]) == {"f": 8}
    # the second workspace had counted the first one's three already
    assert attempts_by_family([of("a", 3, "l1", 3), of("b", 5, "l2", 2)]) == {"f": 5}
    assert attempts_by_family([of("a", 1, None), of("b", 1, None), of("c", 1, None)]) == {"f": 3}
    assert attempts_by_family([of("a", 3, None), of("b", None, None)]) == {"f": None}


def test_attempts_beyond_the_board_count() -> None:
    few, many = build_board([near(2)]).row("near"), build_board([near(20)]).row("near")
    assert few.adjusted_p is not None
    assert many.adjusted_p == pytest.approx(10 * few.adjusted_p)
    hidden = record_of("other", attempts=Attempts(family="elsewhere", count=30))
    crowded = build_board([near(2), hidden]).row("near")
    assert crowded.adjusted_p is not None
    assert few.adjusted_p < crowded.adjusted_p


def test_a_board_with_unknown_attempts_says_so() -> None:
    text = board_text(build_board([near(None)]))
    assert "attempts unknown" in text
    assert "1 attempt" not in text


def variant(random: np.random.Generator, skill: np.ndarray, n: int) -> dict[str, TaskScores]:
    return {"t": task((random.random(n) < skill).astype(float), name="t")}


@pytest.mark.parametrize("boards", [30, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shown", [1, 20])
def test_the_best_of_twenty_equal_variants_seldom_gets_a_check_mark(
    boards: int, shown: int
) -> None:
    """Any ✓ at most 5 %, whether all twenty reach the board or the best one alone."""
    random = np.random.default_rng(11)
    marked, n = 0, 150
    attempts = Attempts(family="f", count=20)
    like = record_of("v", parents={"base": (0.6, 0.6, 0.6)}, attempts=attempts)
    for _ in range(boards):
        skill = random.beta(2, 2, n)
        parent = variant(random, skill, n)
        found = [variant(random, skill, n) for _ in range(20)]
        found.sort(key=lambda one: -one["t"].mean)
        records = [
            like.model_copy(
                update={
                    "name": f"v{place}",
                    "run_key": f"run-{place}",
                    "merge_key": f"m{place}",
                    "model_digest": f"digest-v{place}",
                    "suites": (suite_of(scores, {"base": parent}, key=f"digest-v{place}"),),
                }
            )
            for place, scores in enumerate(found[:shown])
        ]
        marked += any(row.holds for row in build_board(records).rows)
    assert marked / boards <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / boards)


def test_a_clear_claim_holds_among_ten_thousand() -> None:
    """z of about 5.8, as the demo's: p was bounded by the number of draws before."""
    scores = scores_of((0.50, 0.60, 0.60), n=300)
    parents = {"base": scores_of((0.45, 0.57, 0.58), n=300)}
    suite = suite_of(scores, parents, key="digest-demo")
    overall = suite.comparisons[0].overall
    assert overall.stderr is not None
    assert 4.9 < overall.delta / overall.stderr < 6.5
    demo = record_of(
        "demo",
        parents={"base": (0.6, 0.6, 0.6)},
        suites=(suite,),
        attempts=Attempts(family="f", count=10_000),
    )
    row = build_board([demo]).row("demo")
    assert row.holds
    assert row.adjusted_p == pytest.approx(10_000 * overall.p_two_sided)
