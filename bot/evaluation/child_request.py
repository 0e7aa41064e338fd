"""What a parent process asks its evaluation child to do, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite
from bot.evaluation.suite_schema import SuiteData

OUT_OF_MEMORY = 75
"""The child's exit code when the batch does not fit into memory."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model to evaluate: its name in messages, its folder, and where its results go."""

    name: str
    path: Path
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Request:
    """One suite under one set of settings for several models."""

    suite: Suite
    settings: Settings
    subjects: tuple[Subject, ...]

    def write(self, path: Path) -> None:
        """Write the request as JSON with absolute paths."""
        frozen = self.suite.frozen
        content = {
            "suite": self.suite.data.model_dump(mode="json"),
            "search": [str(folder) for folder in self.suite.search],
            "frozen": None if frozen is None else str(frozen),
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
        )
        subjects = tuple(
            Subject(name=entry["name"], path=Path(entry["path"]), folder=Path(entry["folder"]))
            for entry in content["subjects"]
        )
        return cls(suite=suite, settings=Settings(**content["settings"]), subjects=subjects)


def _plain(subject: Subject) -> dict[str, str]:
    return {
        "name": subject.name,
        "path": str(subject.path.resolve()),
        "folder": str(subject.folder.resolve()),
    }


def _paths(texts: Iterable[str]) -> Iterable[Path]:
    return (Path(text) for text in texts)
