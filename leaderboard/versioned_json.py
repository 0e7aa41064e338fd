"""JSON files of ours: each names its format and version, and says so when it cannot be read.

A document is one JSON object whose first two keys are ``format`` (a name such as ``mergebot.run``)
and ``version`` (a whole number). A version is raised by one for each change of form, with one step
that turns the version before into it. Files from before formats were named have neither key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from leaderboard.board_errors import RecordError

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the content of one version into the content of the next."""


class ErrorClass(Protocol):
    """A class of errors with a message and a hint, of this package or of another one."""

    def __call__(self, message: str, *, hint: str | None = None) -> Exception:
        """An error to raise."""
        ...


@dataclass(frozen=True, kw_only=True)
class JsonFormat:
    """One kind of document and how older versions of it are read.

    Args:
        name: what ``format`` says.
        version: the version that is written.
        steps: by version, what turns it into the next one.
        unmarked: the version of a document that names no format.
        error: what is raised for a document that cannot be read.
        remade: whether the document is a cache; the hint then says to remove it.
    """

    name: str
    version: int
    steps: Mapping[int, Step] = field(default_factory=dict)
    unmarked: int = 0
    error: ErrorClass = RecordError
    remade: bool = False

    def mark(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content with its format and version in front."""
        return {"format": self.name, "version": self.version, **content}

    def dump(self, content: Mapping[str, Any], *, indent: int | None = 2) -> str:
        """The document as text: format and version first, other keys sorted, a newline at the end.

        Raises:
            ValueError: a number is not finite.
        """
        ordered = self.mark({key: content[key] for key in sorted(content)})
        text = json.dumps(_sorted(ordered), indent=indent, ensure_ascii=False, allow_nan=False)
        return text + "\n"

    def parse(self, text: str | bytes, *, where: str) -> dict[str, Any]:
        """The content of a document in the present version, without its format and version.

        Args:
            text: the document.
            where: its path, for messages.

        Raises:
            error: it is not a JSON object, has another format, or has a version that is not read.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.error(f"{where} is not JSON: {error}", hint=self._hint(where)) from None
        if not isinstance(content, dict):
            raise self.error(f"{where} is not a JSON object", hint=self._hint(where))
        return self.migrate(content, where=where)

    def migrate(self, content: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """The same for content that is read already, such as the metadata of a parquet file.

        Raises:
            error: as ``parse``.
        """
        version = self._version(content, where)
        found = {key: value for key, value in content.items() if key not in {"format", "version"}}
        if version == self.unmarked:
            found = dict(content)
        for older in range(version, self.version):
            if older not in self.steps:
                message = f"{where} was made by an older mergebot and cannot be read any more"
                raise self.error(message, hint=self._hint(where))
            found = self.steps[older](found)
        return found

    def refuse_newer(self, content: Mapping[str, Any], *, where: str) -> None:
        """Raise ``error`` for a document of a newer version, and for nothing else.

        For documents that are written again wherever they are broken.
        """
        version = content.get("version")
        if content.get("format") == self.name and type(version) is int and version > self.version:
            self._version(content, where)

    def _version(self, content: Mapping[str, Any], where: str) -> int:
        name, version = content.get("format"), content.get("version")
        if not isinstance(name, str):
            return self.unmarked
        if name != self.name:
            raise self.error(f"{where} is a {name} file, not a {self.name} file")
        if type(version) is not int or version <= self.unmarked:
            message = f"{where} has the version {version!r}, which no {self.name} file has"
            raise self.error(message, hint=self._hint(where))
        if version > self.version:
            raise self.error(
                f"{where} was made by a newer mergebot: it has version {version} of {self.name}, "
                f"and this mergebot reads up to version {self.version}",
                hint="upgrade mergebot",
            )
        return version

    def _hint(self, where: str) -> str:
        if self.remade:
            return f"remove {where}; it will be made again"
        return "take the file again from where it came"


def _sorted(value: Any, *, top: bool = True) -> Any:
    """Nested objects with sorted keys; the outermost one keeps its order."""
    if isinstance(value, Mapping):
        keys = list(value) if top else sorted(value)
        return {key: _sorted(value[key], top=False) for key in keys}
    if isinstance(value, list | tuple):
        return [_sorted(item, top=False) for item in value]
    return value
