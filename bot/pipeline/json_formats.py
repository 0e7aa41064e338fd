"""The JSON documents of a workspace: each has a format and is written in one step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import write_atomic
from bot.errors import RecordError, StorageError
from leaderboard.versioned_json import JsonFormat


def _unchanged(content: dict[str, Any]) -> dict[str, Any]:
    """The step from a document without a format to version 1, where nothing else changed."""
    return content


def _format(name: str, *, older: bool = True) -> JsonFormat:
    steps = {0: _unchanged} if older else {}
    return JsonFormat(
        name=f"mergebot.{name}", version=1, steps=steps, error=RecordError, remade=True
    )


WORKSPACE = _format("workspace", older=False)
RUN = _format("run", older=False)
RESOLVED = _format("resolved", older=False)
MERGE = _format("merge")
CHECKS = _format("checks")
EVALUATIONS = _format("evaluations", older=False)
COMPARISON = _format("comparison", older=False)
PREFLIGHT = _format("preflight", older=False)
PUBLICATION = _format("publication", older=False)
SWEEP = _format("sweep")


def write_document(path: Path, form: JsonFormat, content: Mapping[str, Any]) -> None:
    """Leave a document under its name in one step; a stage writes its document last.

    Raises:
        StorageError: the disk refused, or the name of a file in the content is not text.
    """
    try:
        data = form.dump(content).encode()
    except UnicodeEncodeError as error:
        name = error.object[max(0, error.start - 40) : error.end + 40]
        raise StorageError(
            f"{path} cannot hold {name!r}, because it is not text",
            hint="give the recipe and the models' files names in UTF-8",
        ) from error
    write_atomic(path, data)


def read_document(path: Path, form: JsonFormat) -> dict[str, Any] | None:
    """A stage's document; None when the stage has not ended, or where the file is torn.

    Raises:
        RecordError: the document has another format, or a version that cannot be read.
    """
    content = read_object(path)
    return None if content is None else form.migrate(content, where=str(path))


def read_object(path: Path) -> dict[str, Any] | None:
    """A file's JSON object, whatever its format; None where there is none that is whole."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
