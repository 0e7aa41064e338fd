"""Where scores are kept: one file per task, then a manifest that says the evaluation is whole.

::

    <store>/<eval_key>/tasks/<task>.json     written as each task ends
    <store>/<eval_key>/evaluation.json       written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import write_atomic
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite
from leaderboard.board_errors import IncomparableError
from leaderboard.sample_scores import TaskScores

MANIFEST = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One model's scores on one suite.

    ``task_scores`` holds a `TaskScores` per task in the suite's order; ``seconds`` is the time the
    tasks took, without loading; ``versions`` names lm-eval, transformers and torch.
    """

    key: str
    model_digest: str
    suite: str
    suite_digest: str
    settings: Settings
    versions: Mapping[str, str]
    seconds: float
    task_scores: Mapping[str, TaskScores]


def write_task(folder: Path, scores: TaskScores, *, seconds: float) -> None:
    """Keep a task's scores; they are there in full or not at all."""
    write_whole(_task_path(folder, scores.task), {"seconds": seconds, **scores.as_dict()})


def read_task(folder: Path, task: str) -> tuple[TaskScores, float] | None:
    """A task's scores and seconds, None when it has not been run or its file is broken."""
    content = _read(_task_path(folder, task))
    if content is None:
        return None
    try:
        return TaskScores.from_dict(content), float(content["seconds"])
    except (IncomparableError, KeyError, TypeError, ValueError):
        return None


def write_manifest(
    folder: Path, *, key: str, model_digest: str, suite: Suite, settings: Settings,
    versions: Mapping[str, str],
) -> None:  # fmt: skip
    """Say that every task of the suite is there."""
    write_whole(
        folder / MANIFEST,
        {
            "key": key,
            "model_digest": model_digest,
            "suite": suite.name,
            "suite_digest": suite.digest,
            "settings": settings.as_dict(),
            "versions": dict(versions),
            "tasks": [spec.name for spec in suite.tasks],
        },
    )


def read_evaluation(folder: Path) -> Evaluation | None:
    """The evaluation kept in a folder, None unless it is whole."""
    content = _read(folder / MANIFEST)
    if content is None or content.get("key") != folder.name:
        return None
    with suppress(KeyError, TypeError):
        return _evaluation(folder, content)
    return None


def _evaluation(folder: Path, content: Mapping[str, Any]) -> Evaluation | None:
    found = {name: read_task(folder, name) for name in content["tasks"]}
    tasks = {name: result for name, result in found.items() if result is not None}
    if len(tasks) < len(found):
        return None
    return Evaluation(
        key=content["key"],
        model_digest=content["model_digest"],
        suite=content["suite"],
        suite_digest=content["suite_digest"],
        settings=Settings(**content["settings"]),
        versions=content["versions"],
        seconds=sum(seconds for _, seconds in tasks.values()),
        task_scores={name: scores for name, (scores, _) in tasks.items()},
    )


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that the final name only ever holds all of it, also after a power cut.

    Raises:
        StorageError: the disk refused.
    """
    write_atomic(path, json.dumps(content, allow_nan=False).encode())


def _task_path(folder: Path, task: str) -> Path:
    return folder / "tasks" / f"{task}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
