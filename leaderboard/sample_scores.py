"""Per-sample scores of one model on one task, and the alignment of two models' samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leaderboard.board_errors import IncomparableError
from leaderboard.item_texts import TEXT_COLUMNS, ItemTexts
from leaderboard.migrations import SAMPLE_SCORES, parquet_mark, require_readable

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
T = TypeVar("T")

WORDS = ("clusters", *TEXT_COLUMNS)
"""Columns of text that may be empty: independent items, or a suite that keeps its items private."""
COLUMNS = ("doc_ids", "doc_hashes", "target_hashes", "prompt_hashes", "scores", *WORDS)


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """One model's score on every item of one task; all sequences have the same length n.

    Args:
        task: the task's name.
        metric: the metric the scores are of; they are oriented so that higher is better.
        binary: every score is exactly 0 or 1.
        doc_ids: the items' positions in the task's split.
        doc_hashes: digests of the items.
        target_hashes: digests of the expected answers.
        prompt_hashes: digests of the prompts; they differ between models where templates do.
        scores: float64[n] in 0..1.
        clusters: the passage or story each item belongs to, None where items are independent.
        capped: share of generations that ran into the length cap, None if nothing is generated.
        texts: the items in words, None where the suite keeps them to itself or an older version
            wrote the file.

    Raises:
        IncomparableError: empty, of unequal lengths, repeated items, scores that are not finite
            or not in 0..1, or a binary task with a score between.
    """

    task: str
    metric: str
    binary: bool
    doc_ids: tuple[int, ...]
    doc_hashes: tuple[str, ...]
    target_hashes: tuple[str, ...]
    prompt_hashes: tuple[str, ...]
    scores: Floats
    clusters: tuple[str, ...] | None = None
    capped: float | None = None
    texts: ItemTexts | None = None

    def __post_init__(self) -> None:
        scores = np.array(self.scores, dtype=np.float64)
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)
        _refuse_broken(self)

    def __len__(self) -> int:
        return len(self.doc_ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskScores) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.task, self.metric, self.doc_hashes, self.scores.tobytes()))

    @property
    def mean(self) -> float:
        """The task's score: the mean over its items."""
        return float(self.scores.mean())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_dict`."""
        return {
            "task": self.task,
            "metric": self.metric,
            "binary": self.binary,
            "capped": self.capped,
            "doc_ids": list(self.doc_ids),
            "doc_hashes": list(self.doc_hashes),
            "target_hashes": list(self.target_hashes),
            "prompt_hashes": list(self.prompt_hashes),
            "scores": self.scores.tolist(),
            "clusters": None if self.clusters is None else list(self.clusters),
            **({} if self.texts is None else {"texts": self.texts.as_dict()}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TaskScores:
        """Read what `as_dict` gave. Raises IncomparableError when something is missing."""
        try:
            clusters, texts = content["clusters"], content.get("texts")
            return cls(
                task=str(content["task"]),
                metric=str(content["metric"]),
                binary=bool(content["binary"]),
                capped=content["capped"],
                doc_ids=tuple(int(item) for item in content["doc_ids"]),
                doc_hashes=tuple(content["doc_hashes"]),
                target_hashes=tuple(content["target_hashes"]),
                prompt_hashes=tuple(content["prompt_hashes"]),
                scores=np.asarray(content["scores"], dtype=np.float64),
                clusters=None if clusters is None else tuple(clusters),
                texts=None if texts is None else ItemTexts.from_dict(texts),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IncomparableError(
                f"these are not per-sample scores: {error}",
                hint="evaluate the model again to write them anew",
            ) from error


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two models' scores on the same n items, in the order of the items' ids.

    ``clusters`` are integers from 0, or None. ``prompts_differ`` counts the items whose prompts
    were not the same text, which happens where chat templates differ.
    """

    task: str
    metric: str
    binary: bool
    left: Floats
    right: Floats
    clusters: Integers | None
    prompts_differ: int

    @property
    def differences(self) -> Floats:
        """Left minus right, item by item."""
        return self.left - self.right


def align(left: TaskScores, right: TaskScores) -> Paired:
    """Pair two models' scores item by item.

    Raises:
        IncomparableError: another task or metric, an item only one of them has, or an item whose
            text, expected answer or cluster differs.
    """
    if (left.task, left.metric, left.binary) != (right.task, right.metric, right.binary):
        raise IncomparableError(
            f"{left.task}/{left.metric} cannot be compared with {right.task}/{right.metric}",
            hint="compare the same metric of the same task",
        )
    first, second = np.argsort(left.doc_ids), np.argsort(right.doc_ids)
    ours, theirs = _items(left, first), _items(right, second)
    if ours != theirs:
        raise IncomparableError(
            _mismatch(left.task, dict(ours), dict(theirs)),
            hint="evaluate both models again on the same version of the suite",
        )
    prompts = zip(_pick(left.prompt_hashes, first), _pick(right.prompt_hashes, second), strict=True)
    return Paired(
        task=left.task,
        metric=left.metric,
        binary=left.binary,
        left=left.scores[first],
        right=right.scores[second],
        clusters=_codes(left.clusters, first),
        prompts_differ=sum(a != b for a, b in prompts),
    )


def save_scores(scores: Mapping[str, TaskScores], path: Path) -> None:
    """Write one model's scores on several tasks as one parquet file, a row an item."""
    import pyarrow as pa  # Arrow starts a thread, and stages are forked from a process without any
    import pyarrow.parquet as pq

    rows: dict[str, list[Any]] = {"task": [], **{column: [] for column in COLUMNS}}
    facts = {}
    for name, task in scores.items():
        content = task.as_dict()
        content |= content.pop("texts", {})
        rows["task"] += [name] * len(task)
        for column in COLUMNS:
            rows[column] += content.pop(column, None) or [None] * len(task)
        facts[name] = content
    words = {column: pa.array(rows[column], pa.string()) for column in WORDS}
    table = pa.table({**rows, **words})
    metadata = {**parquet_mark(SAMPLE_SCORES), "tasks": json.dumps(facts)}
    pq.write_table(table.replace_schema_metadata(metadata), path)


def load_scores(path: Path) -> dict[str, TaskScores]:
    """Read what `save_scores` wrote.

    Raises:
        IncomparableError: the file is something else.
        RecordError: the file was written by a newer version of this program.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        require_readable(SAMPLE_SCORES, table.schema.metadata, where=str(path))
        facts = json.loads((table.schema.metadata or {})[b"tasks"])
        rows = table.to_pydict()
        found: dict[str, TaskScores] = {}
        for name, content in facts.items():
            chosen = [row for row, task in enumerate(rows["task"]) if task == name]
            columns = {
                column: _column([rows[column][row] for row in chosen])
                for column in COLUMNS
                if column in rows
            }
            texts = {column: columns.pop(column, None) for column in TEXT_COLUMNS}
            told = None if None in texts.values() else texts
            found[name] = TaskScores.from_dict({**content, **columns, "texts": told})
    except (KeyError, ValueError, AttributeError, OSError, pa.ArrowException) as error:
        raise IncomparableError(
            f"{path} does not hold per-sample scores: {error}",
            hint="evaluate the model again to write them anew",
        ) from error
    return found


def _column(values: list[Any]) -> list[Any] | None:
    """A task's part of a column, None where the task has nothing to say there."""
    return None if None in values else values


def _refuse_broken(scores: TaskScores) -> None:
    n = len(scores.doc_ids)
    texts = scores.texts.columns if scores.texts else ()
    columns = (
        scores.doc_hashes, scores.target_hashes, scores.prompt_hashes, scores.clusters, *texts
    )  # fmt: skip
    lengths = {len(column) for column in columns if column is not None} | {scores.scores.size}
    problem = None
    if n == 0:
        problem = "has no items"
    elif lengths != {n} or scores.scores.ndim != 1:
        problem = f"has columns of unequal lengths {sorted(lengths | {n})}"
    elif len(set(scores.doc_ids)) != n:
        problem = "has the same item twice"
    elif not np.isfinite(scores.scores).all():
        problem = f"has {int((~np.isfinite(scores.scores)).sum())} scores that are not numbers"
    elif scores.scores.min() < 0 or scores.scores.max() > 1:
        problem = "has scores outside 0..1"
    elif scores.binary and not np.isin(scores.scores, (0.0, 1.0)).all():
        problem = "is right-or-wrong but has scores between 0 and 1"
    if problem:
        raise IncomparableError(
            f"task {scores.task} {problem}", hint="evaluate the model again on this task"
        )


def _items(scores: TaskScores, order: Integers) -> list[tuple[int, tuple[str, str, str | None]]]:
    ids = _pick(scores.doc_ids, order)
    docs, targets = _pick(scores.doc_hashes, order), _pick(scores.target_hashes, order)
    clusters = _pick(scores.clusters, order) if scores.clusters else [None] * len(ids)
    return [
        (doc_id, (doc, target, cluster))
        for doc_id, doc, target, cluster in zip(ids, docs, targets, clusters, strict=True)
    ]


def _mismatch(task: str, ours: dict[int, Any], theirs: dict[int, Any]) -> str:
    shared = ours.keys() & theirs.keys()
    differing = sum(ours[doc_id] != theirs[doc_id] for doc_id in shared)
    parts = [
        f"{len(ours.keys() - shared)} items only in the first",
        f"{len(theirs.keys() - shared)} only in the second",
        f"{differing} with another text, answer or cluster",
    ]
    return f"task {task}: the two models were not scored on the same items ({', '.join(parts)})"


def _pick(values: tuple[T, ...], order: Integers) -> list[T]:
    return [values[position] for position in order]


def _codes(clusters: tuple[str, ...] | None, order: Integers) -> Integers | None:
    if clusters is None:
        return None
    codes: Integers = np.unique(_pick(clusters, order), return_inverse=True)[1].astype(np.int64)
    return codes
