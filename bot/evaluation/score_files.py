"""Where scores are stored: one file per task, then a manifest that says that none is missing.

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
from bot.errors import EvaluationError
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite
from leaderboard.board_errors import IncomparableError
from leaderboard.sample_scores import TaskScores
from leaderboard.versioned_json import JsonFormat

MANIFEST = "evaluation.json"
EVALUATION, TASK_SCORES, OUT_OF_MEMORY_NOTE = (
    JsonFormat(name=f"mergebot.{name}", version=1, error=EvaluationError, remade=True)
    for name in ("evaluation", "task-scores", "out-of-memory-note")
)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One model's scores on one suite.

    ``task_scores`` holds a `TaskScores` per task in the suite's order; ``seconds`` is the time the
    tasks took, without loading; ``versions`` names lm-eval and the backend's packages.
    ``questions`` are digests, by task, of all that was asked, without chat templates; ``templated``
    says whether it was put into one.
    """

    key: str
    model_digest: str
    suite: str
    suite_digest: str
    settings: Settings
    versions: Mapping[str, str]
    seconds: float
    task_scores: Mapping[str, TaskScores]
    questions: Mapping[str, str]
    templated: bool


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """What one model's run of one task gave.

    ``questions`` is a sha256 over all that was asked, without chat templates; ``template`` is the
    sha256 of the chat template, None where prompts were plain; ``seconds`` is without loading.
    """

    scores: TaskScores
    questions: str
    template: str | None
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_dict`."""
        own = {"questions": self.questions, "template": self.template, "seconds": self.seconds}
        return {**own, "scores": self.scores.as_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TaskRun:
        """Read what `as_dict` gave.

        Raises:
            IncomparableError, KeyError, TypeError, ValueError: it is something else.
        """
        template = content["template"]
        return cls(
            scores=TaskScores.from_dict(content["scores"]),
            questions=str(content["questions"]),
            template=None if template is None else str(template),
            seconds=float(content["seconds"]),
        )


def write_task(folder: Path, run: TaskRun) -> None:
    """Store a task's scores; the file is complete or not there."""
    write_json(_task_path(folder, run.scores.task), TASK_SCORES, run.as_dict())


def read_task(folder: Path, task: str) -> TaskRun | None:
    """A task's scores, None when it has not been run or its file is broken."""
    content = _read(_task_path(folder, task), TASK_SCORES)
    if content is None:
        return None
    try:
        return TaskRun.from_dict(content)
    except (IncomparableError, KeyError, TypeError, ValueError):
        return None


def write_manifest(
    folder: Path, *, key: str, model_digest: str, suite: Suite, settings: Settings,
    versions: Mapping[str, str],
) -> None:  # fmt: skip
    """Say that every task of the suite is there."""
    write_json(
        folder / MANIFEST,
        EVALUATION,
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
    """The evaluation stored in a folder, None unless it is complete."""
    content = _read(folder / MANIFEST, EVALUATION)
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
        seconds=sum(run.seconds for run in tasks.values()),
        task_scores={name: run.scores for name, run in tasks.items()},
        questions={name: run.questions for name, run in tasks.items()},
        templated=any(run.template is not None for run in tasks.values()),
    )


def write_json(path: Path, form: JsonFormat, content: Mapping[str, Any]) -> None:
    """Write a document so that the final name only ever holds all of it, also after a power cut.

    Raises:
        StorageError: the disk refused.
    """
    write_atomic(path, form.dump(content, indent=None).encode())


def _task_path(folder: Path, task: str) -> Path:
    return folder / "tasks" / f"{task}.json"


def _read(path: Path, form: JsonFormat) -> dict[str, Any] | None:
    """A document's content, None where it is missing, broken, or older than formats.

    An evaluation of an older version stands for other settings: no key leads to it any more.

    Raises:
        EvaluationError: a newer version of mergebot wrote it.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or "format" not in content:
        return None
    return form.migrate(content, where=str(path))
