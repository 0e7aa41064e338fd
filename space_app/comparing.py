"""Two to four models against a pinned baseline, paired on the items both were scored on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from leaderboard.board import Board, Row
from leaderboard.errors import IncomparableError
from leaderboard.results import Comparison, Difference, SuiteResult, TaskDifference
from leaderboard.scores import TaskScores, align
from leaderboard.statistics.compare import compare_models
from space_app.live_board import Snapshot
from space_app.settings import SamplesOf

FEWEST, MOST = 2, 4
EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A model minus the baseline, with its 95 % interval; fractions of 1.

    ``gained`` counts items that only the model got right, ``lost`` those only the baseline did;
    None where per-item scores are not right or wrong. The examples are items' numbers.
    """

    task: str
    title: str
    delta: float
    low: float
    high: float
    n: int
    gained: int | None = None
    lost: int | None = None
    gained_examples: tuple[int, ...] = ()
    lost_examples: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Versus:
    """One model against the baseline; without numbers where ``reason`` says why."""

    row: Row
    overall: Delta | None = None
    tasks: tuple[Delta, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The whole comparison, or why there is none."""

    baseline: Row | None = None
    others: tuple[Versus, ...] = ()
    refusal: str | None = None


def compare(snapshot: Snapshot, samples: SamplesOf, words: Sequence[str]) -> Compared:
    """Compare models by ids, keys or names; the first is the baseline."""
    if refused := _refusal(snapshot, words):
        return Compared(refusal=refused)
    rows = [snapshot.rows[word] for word in words]
    others = [_versus(snapshot.board, samples, row, rows[0]) for row in rows[1:]]
    return Compared(baseline=rows[0], others=tuple(others))


def recipe_diff(first: Row, second: Row) -> str | None:
    """What the second recipe changes of the first; None unless both are merges."""
    if first.record is None or second.record is None:
        return None
    lines = difflib.unified_diff(
        first.record.recipe.text.splitlines(), second.record.recipe.text.splitlines(),
        first.name, second.name, lineterm="", n=2,
    )  # fmt: skip
    return "\n".join(lines) or "The recipes are the same."


def suggestions(board: Board) -> list[tuple[Row, Row]]:
    """Two pairs worth a look: the best merges with their best parents."""
    by_name = {row.name: row for row in board.rows}
    pairs = [
        (by_name[row.judgement.best_parent_name], row)
        for row in board.rows
        if row.judgement and row.judgement.best_parent_name in by_name
    ]
    return pairs[:2]


def _refusal(snapshot: Snapshot, words: Sequence[str]) -> str | None:
    unknown = [word for word in words if snapshot.find(word) is None]
    if unknown:
        return f"There is no model “{unknown[0]}” on this board."
    keys = [snapshot.rows[word].key for word in words]
    if len(set(keys)) < len(keys):
        name = snapshot.rows[words[[keys.count(key) > 1 for key in keys].index(True)]].name
        return f"{name} is there twice: a model cannot be compared with itself."
    if not FEWEST <= len(words) <= MOST:
        return f"Choose {FEWEST} to {MOST} models; these are {len(words)}."
    return None


def _versus(board: Board, samples: SamplesOf, row: Row, baseline: Row) -> Versus:
    for one in (row, baseline):
        if one.headline is None or board.suite is None:
            return Versus(row=row, reason=f"Not comparable: {_where_measured(one, board)}")
    digest = board.suite.digest if board.suite else ""
    ours, theirs = samples(digest, row.key), samples(digest, baseline.key)
    try:
        if ours is not None and theirs is not None:
            return _from_samples(board, row, baseline, ours, theirs)
    except IncomparableError as refused:
        return Versus(row=row, reason=f"Not comparable: {refused.message}")
    recorded = _recorded(board, row, baseline)
    if recorded is None:
        reason = "No paired difference: their scores item by item are not published."
        return Versus(row=row, reason=reason)
    return recorded


def _where_measured(row: Row, board: Board) -> str:
    """Which suites a model was scored on instead of the board's."""
    suites = row.record.suites if row.record else ()
    named = ", ".join(f"{found.suite} {found.version}" for found in suites)
    if not named:
        return f"{row.name} has no scores."
    shared = {task.task for task in board.tasks} & {
        task.task for found in suites for task in found.tasks
    }
    return (
        f"{row.name} was scored on {named}, the board ranks {board.suite}:"
        f" {len(shared)} of {len(board.tasks)} tasks have the same name, none the same items."
    )


def _from_samples(
    board: Board,
    row: Row,
    baseline: Row,
    ours: Mapping[str, TaskScores],
    theirs: Mapping[str, TaskScores],
) -> Versus:
    """Both ways from one computation, so that swapping negates every number exactly."""
    turned = row.key > baseline.key
    first, second = (theirs, ours) if turned else (ours, theirs)
    names = (baseline.key, row.key) if turned else (row.key, baseline.key)
    found = _computed(board, names, _Held(first), _Held(second))
    flips = {task: _flips(ours[task], theirs[task]) for task in ours}
    return _told(board, row, found, turned=turned, flips=flips)


class _Held:
    """Scores as a cache key's companion: never compared, the names beside it are."""

    def __init__(self, scores: Mapping[str, TaskScores]) -> None:
        self.scores = scores

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


def _computed(board: Board, names: tuple[str, str], first: _Held, second: _Held) -> Comparison:
    shares = tuple((task.task, task.weight or 1 / len(board.tasks)) for task in board.tasks)
    bounds = tuple(
        (task.task, task.lower_bound if board.normalised else 0.0) for task in board.tasks
    )
    return _cached(board.suite.digest if board.suite else "", names, shares, bounds, first, second)


@lru_cache(maxsize=512)
def _cached(
    _suite: str,
    names: tuple[str, str],
    shares: tuple[tuple[str, float], ...],
    bounds: tuple[tuple[str, float], ...],
    first: _Held,
    second: _Held,
) -> Comparison:
    return compare_models(
        first.scores, second.scores, parent_key=names[1], weights=dict(shares),
        lower_bounds=dict(bounds),
    )  # fmt: skip


def _recorded(board: Board, row: Row, baseline: Row) -> Versus | None:
    """The comparison that a run itself recorded, turned round where the baseline is the merge."""
    for merge, parent, turned in ((row, baseline, False), (baseline, row, True)):
        for found in _comparisons(board, merge):
            if found.parent == parent.key:
                return _told(board, row, found, turned=turned, flips={})
    return None


def _comparisons(board: Board, row: Row) -> tuple[Comparison, ...]:
    suites: tuple[SuiteResult, ...] = row.record.suites if row.record else ()
    return next(
        (
            suite.comparisons
            for suite in suites
            if board.suite and suite.digest == board.suite.digest
        ),
        (),
    )


Flips = tuple[tuple[int, ...], tuple[int, ...]]


def _flips(ours: TaskScores, theirs: TaskScores) -> Flips:
    """The numbers of the first items that only one of the two got right."""
    if not ours.binary:
        return (), ()
    pair, ids = align(ours, theirs), sorted(ours.doc_ids)
    gained = tuple(ids[at] for at in (pair.differences > 0).nonzero()[0][:EXAMPLES])
    lost = tuple(ids[at] for at in (pair.differences < 0).nonzero()[0][:EXAMPLES])
    return gained, lost


def _told(
    board: Board, row: Row, found: Comparison, *, turned: bool, flips: Mapping[str, Flips]
) -> Versus:
    titles = {task.task: task.title for task in board.tasks}
    tasks = tuple(
        _delta(one, one.task, titles.get(one.task, one.task), turned, flips.get(one.task, ((), ())))
        for one in found.tasks
    )
    return Versus(row=row, overall=_delta(found.overall, "", "Score", turned), tasks=tasks)


def _delta(
    found: Difference, task: str, title: str, turned: bool, flips: Flips = ((), ())
) -> Delta:
    counts = found.discordant if isinstance(found, TaskDifference) else None
    gained, lost = (counts.b, counts.c) if counts else (None, None)
    if turned:
        gained, lost = lost, gained
    low, high = (-found.high, -found.low) if turned else (found.low, found.high)
    return Delta(
        task=task, title=title, delta=-found.delta if turned else found.delta, low=low, high=high,
        n=found.n, gained=gained, lost=lost, gained_examples=flips[0], lost_examples=flips[1],
    )  # fmt: skip
