"""Any two models of a board against each other: on shared items only, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leaderboard.board import Board, Row, SuiteVersion
from leaderboard.board_errors import BoardError, IncomparableError
from leaderboard.build_board import Samples
from leaderboard.flips import Flips, flipped_items
from leaderboard.record_results import Comparison
from leaderboard.statistics.paired_comparison import compare_models
from leaderboard.verdict_notes import task_changes

MOST = 4


@dataclass(frozen=True, kw_only=True)
class RowComparison:
    """One model against the baseline.

    ``refusal`` says why there is no comparison, ``note`` why it is not as full as it might be.
    """

    baseline: Row
    row: Row
    comparison: Comparison | None = None
    refusal: str | None = None
    note: str | None = None
    missing: tuple[str, ...] = ()
    flips: Mapping[str, Flips] = field(default_factory=dict)

    @property
    def wins(self) -> tuple[int, int]:
        """On how many tasks it is ahead, and on how many of those after Holm's correction."""
        if self.comparison is None:
            return 0, 0
        changes = task_changes(self.comparison).values()
        ahead = sum(task.delta > 0 for task in self.comparison.tasks)
        return ahead, sum(change == "better" for change in changes)


def chosen_rows(board: Board, keys: Sequence[str]) -> tuple[Row, ...]:
    """The rows to compare, the baseline first.

    Raises:
        BoardError: fewer than two, more than four, one of them twice, or not on the board.
    """
    if not 2 <= len(keys) <= MOST:
        raise BoardError(
            f"a comparison takes two to {MOST} models, not {len(keys)}",
            hint="choose them with the boxes in the table",
        )
    rows = tuple(board.row(key) for key in keys)
    if len({row.key for row in rows}) < len(rows):
        raise BoardError("a model cannot be compared with itself", hint="choose another model")
    return rows


def against(baseline: Row, row: Row, board: Board, samples: Samples) -> RowComparison:
    """Compare a model with the baseline, item by item where both models' scores are at hand.

    Without samples a comparison that a record holds already is used. On tasks that only one of
    the two was scored on nothing is said; without a shared task there is a refusal and no number.
    """
    ours, theirs = samples(row.digest), samples(baseline.digest)
    if ours is None or theirs is None:
        return _from_record(baseline, row, board)
    shared = [task for task in ours if task in theirs]
    missing = tuple(sorted(set(ours) ^ set(theirs)))
    if not shared:
        return RowComparison(
            baseline=baseline, row=row, refusal="they share no task", missing=missing
        )
    left, right = ({task: scores[task] for task in shared} for scores in (ours, theirs))
    try:
        comparison = compare_models(
            left,
            right,
            parent_key=baseline.digest,
            weights=_weights(board, shared),
            lower_bounds=_bounds(board),
            same_weights=row.digest == baseline.digest,
        )
    except IncomparableError as error:
        return RowComparison(baseline=baseline, row=row, refusal=error.message, missing=missing)
    flips = {task: flipped_items(left[task], right[task]) for task in shared if left[task].binary}
    return RowComparison(
        baseline=baseline, row=row, comparison=comparison, missing=missing, flips=flips
    )


def _from_record(baseline: Row, row: Row, board: Board) -> RowComparison:
    suites = row.record.suites if row.record else ()
    for suite in suites:
        if board.suite is None or SuiteVersion.of(suite) != board.suite:
            continue
        for comparison in suite.comparisons:
            if comparison.parent == baseline.digest:
                return RowComparison(baseline=baseline, row=row, comparison=comparison)
    return RowComparison(
        baseline=baseline,
        row=row,
        refusal="their scores by item are not published here, and a fair test needs them",
    )


def _weights(board: Board, shared: Sequence[str]) -> dict[str, float]:
    """The suite's weights, stretched to sum to 1 over the shared tasks."""
    given = {task.task: task.weight or 1 / len(board.tasks) for task in board.tasks}
    total = sum(given.get(task, 0.0) for task in shared)
    if any(task not in given for task in shared) or total <= 0:
        return {task: 1 / len(shared) for task in shared}
    return {task: given[task] / total for task in shared}


def _bounds(board: Board) -> dict[str, float]:
    return {task.task: task.lower_bound for task in board.tasks} if board.normalised else {}
