"""The request of a parent process to its evaluation child, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.score_files import read_task
from bot.evaluation.suite_catalog import Suite
from bot.evaluation.suite_schema import SuiteData

OUT_OF_MEMORY = 75
"""The child's exit code when the batch does not fit into memory."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model to evaluate: its name in messages, its folder, where its results go, and its tasks.

    Only the parent process writes results: the request does not say where they go, and the folder
    is empty (``Path()``) in the child.
    """

    name: str
    path: Path
    folder: Path
    tasks: tuple[str, ...]

    @classmethod
    def pending(cls, suite: Suite, *, name: str, path: Path, folder: Path) -> Subject:
        """A model with those tasks of a suite that have no scores in its folder yet."""
        tasks = tuple(spec.name for spec in suite.tasks if read_task(folder, spec.name) is None)
        return cls(name=name, path=path, folder=folder, tasks=tasks)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One suite under one set of settings for several models."""

    suite: Suite
    settings: Settings
    subjects: tuple[Subject, ...]

    def write(self, path: Path) -> None:
        """Write the request as JSON with absolute paths."""
        content = {
            "suite": self.suite.data.model_dump(mode="json"),
            "search": [str(folder) for folder in self.suite.search],
            "frozen": _text(self.suite.frozen),
            "copies": _text(self.suite.copies),
            "settings": self.settings.as_dict(),
            "subjects": [_plain(subject) for subject in self.subjects],
        }
        path.write_text(json.dumps(content), "utf-8")

    @classmethod
    def read(cls, path: Path) -> Request:
        """Read what `write` wrote."""
        content = json.loads(path.read_text("utf-8"))
        suite = Suite(
            data=SuiteData.model_validate_json(json.dumps(content["suite"])),
            search=tuple(_paths(content["search"])),
            frozen=None if content["frozen"] is None else Path(content["frozen"]),
            copies=None if content["copies"] is None else Path(content["copies"]),
        )
        subjects = tuple(
            Subject(
                name=entry["name"], path=Path(entry["path"]), folder=Path(),
                tasks=tuple(entry["tasks"]),
            )
            for entry in content["subjects"]
        )  # fmt: skip
        return cls(suite=suite, settings=Settings(**content["settings"]), subjects=subjects)


def _plain(subject: Subject) -> dict[str, object]:
    path = str(subject.path.resolve())
    return {"name": subject.name, "path": path, "tasks": list(subject.tasks)}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _paths(texts: Iterable[str]) -> Iterable[Path]:
    return (Path(text) for text in texts)
