"""The journal of an unfinished output: which tensors are durable on disk.

One line per fact: JSON, a tab, and a checksum of the JSON. The first line names the format, the
plan and the layout. Files are named before they are made, so what is not named was not put there by
a merge. Tensors are named only after their data are durable, so whatever the journal says after a
crash is true; a torn last line is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import Disk, explained
from bot.errors import StorageError
from leaderboard.versioned_json import JsonFormat

_CHECKSUM_DIGITS = 16
FORMAT = JsonFormat(
    name="mergebot.journal",
    version=1,
    steps={0: lambda heading: heading},
    error=StorageError,
    remade=True,
)


class Journal:
    """An append-only record of finished tensors; it is renamed into place once its heading is
    written.
    """

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._fd: int | None = None

    def read(self, heading: Mapping[str, str]) -> dict[str, str] | None:
        """The tensors that an earlier attempt finished, name -> digest; None for another plan's
        journal.

        Raises:
            StorageError: a newer mergebot wrote the journal.
        """
        facts, _ = _sound_lines(self._content())
        if not facts or FORMAT.migrate(facts[0], where=str(self._path)) != dict(heading):
            return None
        return {fact["tensor"]: fact["digest"] for fact in facts[1:] if "tensor" in fact}

    def files(self) -> frozenset[str]:
        """Every file that the journal announced; empty without a journal."""
        facts, _ = _sound_lines(self._content())
        return frozenset(name for fact in facts for name in fact.get("files", ()))

    def start(self, heading: Mapping[str, str], files: Iterable[str]) -> None:
        """Replace any journal by a new one; ``files`` may be created after it returns."""
        first = _line(FORMAT.mark(heading))
        self._disk.write_file(self.partial, first + _line({"files": [*files]}))
        self._disk.rename(self.partial, self._path)
        self._disk.sync_folder(self._path.parent)
        self._fd = self._disk.open(self._path, os.O_RDWR)

    def resume(self) -> None:
        """Continue the journal that was read, without its incomplete last line."""
        self._fd = self._disk.open(self._path, os.O_RDWR)
        _, sound_bytes = _sound_lines(self._content())
        if self._disk.size(self._fd) > sound_bytes:
            self._disk.truncate(self._fd, sound_bytes)

    def append(self, finished: Mapping[str, str]) -> None:
        """Record tensors whose bytes are already durable; returns once the record is, too."""
        lines = (_line({"tensor": name, "digest": digest}) for name, digest in finished.items())
        self._record(b"".join(lines))

    def announce(self, files: Iterable[str]) -> None:
        """Record files before they are created."""
        self._record(_line({"files": [*files]}))

    def close(self) -> None:
        """Close the file, without removing it."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._disk.close(fd)

    def _record(self, lines: bytes) -> None:
        if self._fd is None:
            raise ValueError("the journal was not begun")
        self._disk.append(self._fd, lines)
        self._disk.sync(self._fd)

    def _content(self) -> bytes:
        with explained("read", self._path):
            return self._path.read_bytes() if self._path.is_file() else b""


def _line(fact: Mapping[str, Any]) -> bytes:
    text = json.dumps(fact, sort_keys=True).encode()
    return text + b"\t" + _checksum(text) + b"\n"


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_CHECKSUM_DIGITS].encode()


def _sound_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The entries before the first broken line, and their size in bytes."""
    facts: list[dict[str, Any]] = []
    sound = 0
    for line in content.splitlines(keepends=True):
        text, _, checksum = line.rpartition(b"\t")
        if not line.endswith(b"\n") or checksum.strip() != _checksum(text):
            break
        fact = _fact(text)
        if fact is None:
            break
        facts.append(fact)
        sound += len(line)
    return facts, sound


def _fact(text: bytes) -> dict[str, Any] | None:
    try:
        fact = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fact if isinstance(fact, dict) else None
