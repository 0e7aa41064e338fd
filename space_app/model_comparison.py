"""Two to four models against a pinned baseline, as the board compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leaderboard.board import Board, Row
from leaderboard.board_errors import BoardError
from leaderboard.build_board import Samples
from leaderboard.compare_rows import MOST, RowComparison, against, chosen_rows
from leaderboard.record_results import Comparison, Difference, NonInferiority, TaskDifference
from leaderboard.render.board_json import model_id
from leaderboard.sample_scores import TaskScores
from space_app.live_board import LONGEST_NAME, Snapshot
from space_app.space_settings import SamplesOf


@dataclass(frozen=True, kw_only=True)
class ModelComparison:
    """The whole comparison, or why there is none."""

    pairs: tuple[RowComparison, ...] = ()
    refusal: str | None = None


def compare(snapshot: Snapshot, samples: SamplesOf, words: Sequence[str]) -> ModelComparison:
    """Compare models by ids, keys or names; the first is the baseline."""
    words = [word[:LONGEST_NAME] for word in words[: MOST + 1]]
    for word in words:
        if refusal := ambiguous(snapshot, word):
            return ModelComparison(refusal=refusal)
    keys = [row.key if (row := snapshot.find(word)) else word for word in words]
    try:
        baseline, *others = chosen_rows(snapshot.board, keys)
    except BoardError as refused:
        hint = f"; {refused.hint}" if refused.hint else ""
        return ModelComparison(refusal=f"{refused.message}{hint}")
    return ModelComparison(
        pairs=tuple(_pair(snapshot.board, samples, baseline, row) for row in others)
    )


def ambiguous(snapshot: Snapshot, word: str) -> str | None:
    """What to say where several models have this name; None where it names one at most."""
    if snapshot.find(word) is not None or not (named := snapshot.named(word)):
        return None
    ids = ", ".join(model_id(row.key) for row in named)
    return f"{len(named)} models are called {word}: use one of their ids, {ids}"


def suggestions(board: Board) -> list[tuple[Row, Row]]:
    """Two pairs worth a look: the best merges after their best parents."""
    by_name = {row.name: row for row in board.rows}
    pairs = [
        (by_name[row.judgement.best_parent_name], row)
        for row in board.rows
        if row.judgement and row.judgement.best_parent_name in by_name
    ]
    return pairs[:2]


def _pair(board: Board, samples: SamplesOf, baseline: Row, row: Row) -> RowComparison:
    for one in (baseline, row):
        if one.headline is None or board.suite is None:
            return RowComparison(baseline=baseline, row=row, refusal=_where_measured(one, board))
    digest = board.suite.digest if board.suite else ""

    unread: list[str] = []

    def of_model(key: str) -> Mapping[str, TaskScores] | None:
        try:
            return samples(digest, key)
        except BoardError as error:
            unread.append(error.message)
            return None

    found = _either_way(baseline, row, board, of_model)
    if not unread:
        return found
    if found.comparison is None:
        return replace(found, refusal=unread[0])
    return replace(found, note=f"From the record of the run, without items: {unread[0]}")


def _either_way(baseline: Row, row: Row, board: Board, of_model: Samples) -> RowComparison:
    """The comparison, for which a record of either of the two may have to stand in."""
    found = against(baseline, row, board, of_model)
    if found.comparison is None:
        back = against(row, baseline, board, of_model)
        if back.comparison is not None:
            # A record holds the merge against its parent; here the merge is the baseline.
            return replace(found, comparison=turned(back.comparison, baseline.key), refusal=None)
    return found


def turned(comparison: Comparison, baseline: str) -> Comparison:
    """The same comparison seen from the other side.

    What a test of non-inferiority would say the other way round cannot be derived, so nothing is
    claimed: its p is 1.
    """
    return Comparison(
        parent=baseline,
        tasks=tuple(_turned_task(task) for task in comparison.tasks),
        overall=Difference(**_negated(comparison.overall)),
        noninferiority=NonInferiority(margin=comparison.noninferiority.margin, p=1.0),
        cap_gap=comparison.cap_gap,
    )


def _turned_task(task: TaskDifference) -> TaskDifference:
    counts = task.discordant
    swapped = counts.model_copy(update={"b": counts.c, "c": counts.b}) if counts else None
    return TaskDifference(**{**_negated(task), "discordant": swapped})


def _negated(found: Difference) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(found, name) for name in type(found).model_fields}
    return fields | {
        "delta": -found.delta,
        "low": -found.high,
        "high": -found.low,
        "p_greater": found.p_less,
        "p_less": found.p_greater,
    }


def _where_measured(row: Row, board: Board) -> str:
    """Which suites a model was scored on instead of the board's."""
    suites = row.record.suites if row.record else ()
    named = ", ".join(f"{found.suite} {found.version}" for found in suites)
    if not named:
        return f"{row.name} has no scores"
    shared = {task.task for task in board.tasks} & {
        task.task for found in suites for task in found.tasks
    }
    return (
        f"{row.name} was scored on {named}, the board ranks {board.suite}:"
        f" {len(shared)} of {len(board.tasks)} tasks have the same name, none the same items"
    )
