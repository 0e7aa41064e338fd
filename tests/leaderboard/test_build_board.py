from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from leaderboard.board_errors import RecordError
from leaderboard.build_board import build_board
from leaderboard.record_provenance import (
    Attempts,
    Flag,
    Lineage,
    LineageEdge,
    LineageNode,
    Retraction,
)
from leaderboard.statistics.rank_ranges import paired_residuals, rank_ranges
from tests.leaderboard.samples import (
    PARENTS,
    failed_record,
    parent,
    record_of,
    scores_of,
    suite_of,
)
from tests.present import present

GOOD = record_of("good", (0.75, 0.85, 0.80))
FAIR = record_of("fair", (0.55, 0.85, 0.60), created="2026-11-22T09:20:00Z")
BAD = record_of("bad", (0.30, 0.30, 0.30), created="2026-11-22T09:30:00Z")
BOARD = build_board([BAD, GOOD, FAIR, failed_record()])
SCORES = {
    "digest-good": scores_of((0.75, 0.85, 0.80)),
    "digest-fair": scores_of((0.55, 0.85, 0.60)),
    "digest-bad": scores_of((0.30, 0.30, 0.30)),
    **{key: scores_of(shares) for key, shares in PARENTS.items()},
}


def test_merges_and_their_parents_stand_in_one_table() -> None:
    assert [row.name for row in BOARD.rows] == ["good", "fair", "sort-ft", "base", "bad"]
    assert [row.kind for row in BOARD.rows] == ["merge", "merge", "finetune", "base", "merge"]
    assert [row.status for row in BOARD.unranked] == ["failed"]
    assert BOARD.updated == "2026-11-22T10:00:00Z"
    assert BOARD.attempts == 4
    assert str(BOARD.suite) == "skills 1"


def test_a_row_is_found_by_name_and_keys() -> None:
    assert BOARD.row("good") is BOARD.row("digest-good") is BOARD.row("run-good")
    with pytest.raises(RecordError, match="no model nobody"):
        BOARD.row("nobody")


def test_rank_ranges_come_from_intervals_where_there_are_no_samples() -> None:
    ranges = {row.name: (row.rank_low, row.rank_high) for row in BOARD.rows}
    assert ranges["good"] == (1, 1)
    assert ranges["bad"] == (5, 5)
    low, high = ranges["fair"]
    assert present(high) > present(low)


def test_pairing_the_samples_narrows_the_ranges_and_never_the_order() -> None:
    paired = build_board([GOOD, FAIR, BAD], samples=SCORES.get)
    assert [row.name for row in paired.rows] == [row.name for row in BOARD.rows]
    narrow, wide = (
        [(present(row.rank_low), present(row.rank_high)) for row in board.rows]
        for board in (paired, BOARD)
    )
    for found, around in zip(narrow, wide, strict=True):
        assert around[0] <= found[0] <= found[1] <= around[1]
    assert sum(high - low for low, high in narrow) < sum(high - low for low, high in wide)


def test_paired_residuals_give_the_paired_standard_error() -> None:
    a, b = SCORES["digest-fair"], SCORES["base"]
    weights = dict.fromkeys(a, 1 / 3)
    distance = ((paired_residuals(a, weights) - paired_residuals(b, weights)) ** 2).sum()
    expected = sum(np.var(a[task].scores - b[task].scores, ddof=1) / len(a[task]) / 9 for task in a)
    assert distance == pytest.approx(expected)


def test_ranks_of_many_models_equal_the_definition() -> None:
    random = np.random.default_rng(6)
    values, errors = random.random(700), random.random(700) * 0.1
    ranges = rank_ranges(values, errors)
    for i in (0, 13, 499, 500, 699):
        gaps = values - values[i]
        apart = np.abs(gaps) > norm.isf(0.025 / 699) * np.hypot(errors, errors[i])
        assert ranges[i] == (1 + (apart & (gaps > 0)).sum(), 700 - (apart & (gaps < 0)).sum())


def test_claims_are_corrected_for_their_number() -> None:
    claims = {
        row.name: present(present(row.judgement).claim_p)
        for row in BOARD.rows
        if row.adjusted_p is not None
    }
    assert BOARD.claims == len(claims) == 3
    adjusted = {row.name: row.adjusted_p for row in BOARD.rows if row.adjusted_p is not None}
    tried = [*claims.values(), 1.0]  # four attempts were disclosed, and three stand on the board
    assert list(adjusted.values()) == pytest.approx(multipletests(tried, method="holm")[1][:3])
    assert [row.name for row in BOARD.rows if row.holds] == ["good"]


def test_a_claim_may_fall_when_others_join() -> None:
    near = record_of("near", (0.515, 0.97, 0.57))
    alone = build_board([near]).row("near")
    assert alone.holds
    crowd = [record_of(f"m{i}", (0.45, 0.95, 0.55)) for i in range(40)]
    among = build_board([near, *crowd]).row("near")
    assert present(among.adjusted_p) > present(alone.adjusted_p)


def test_a_retracted_run_leaves_the_ranking_but_stays_an_attempt() -> None:
    taken_back = GOOD.model_copy(
        update={
            "retraction": Retraction(
                run_key=GOOD.run_key, reason="r", by="o", created="2026-11-23T00:00:00Z"
            )
        }
    )
    board = build_board([taken_back, FAIR])
    assert "good" not in [row.name for row in board.rows]
    assert board.row("good").status == "retracted"
    assert board.claims == 2


def test_only_one_version_of_a_suite_is_ranked() -> None:
    scores = {key: SCORES[key] for key in PARENTS}
    newer = suite_of(SCORES["digest-good"], scores, key="digest-good", version="2")
    later = record_of("good", run_key="run-2", suites=(newer,), created="2026-11-23T00:00:00Z")
    board = build_board([GOOD, FAIR, later])
    assert str(board.suite) == "skills 2"
    assert {row.name for row in board.rows} == {"good", "base", "sort-ft"}
    assert {row.name for row in board.unranked} == {"fair"}
    assert "fair" in {row.name for row in build_board([GOOD, FAIR, later], version="1").rows}


def test_the_newest_record_of_the_same_weights_counts_once() -> None:
    again = record_of("good", run_key="run-again", created="2026-11-23T00:00:00Z")
    board = build_board([GOOD, again])
    assert [row.record.run_key for row in board.rows if row.record] == ["run-again"]


def test_attempts_are_summed_over_families() -> None:
    other = record_of("other", attempts=Attempts(family="other", count=9))
    assert build_board([GOOD, FAIR, other]).attempts == 3 + 9
    assert build_board([record_of("alone", attempts=None)]).attempts is None


def test_an_empty_board_is_a_board() -> None:
    board = build_board([])
    assert (board.rows, board.suite, board.updated) == ((), None, None)


def test_flags_come_down_through_records_on_the_board() -> None:
    flag = Flag(kind="contamination", source="dirty-set", path=("dirty-set", "good"), reason="r")
    tainted = GOOD.model_copy(update={"flags": (flag,)})
    child = record_of("child", parents={"digest-good": (0.6, 0.6, 0.6)})
    child = child.model_copy(
        update={"parents": (parent("digest-good").model_copy(update={"name": "good"}),)}
    )
    grandchild = record_of("grandchild", parents={"digest-child": (0.6, 0.6, 0.6)})
    board = build_board([tainted, child, grandchild])
    assert board.row("child").flags[0].path == ("dirty-set", "good", "child")
    assert board.row("grandchild").flags[0].path == ("dirty-set", "good", "child", "grandchild")


def test_flags_of_known_models_come_down_through_the_lineage() -> None:
    nodes = tuple(LineageNode(id=name, name=name) for name in ("root", "mid", "side", "good"))
    edges = tuple(
        LineageEdge(source=a, target=b)
        for a, b in (("root", "mid"), ("mid", "good"), ("side", "mid"), ("mid", "root"))
    )
    record = GOOD.model_copy(update={"lineage": Lineage(nodes=nodes, edges=edges)})
    known = [Flag(kind="license", source="root", reason="non-commercial")]
    assert build_board([record], known_flags=known).row("good").flags[0].path == (
        "root",
        "mid",
        "good",
    )
    assert build_board([GOOD], known_flags=known).row("good").flags == ()
