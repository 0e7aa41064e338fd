"""Which tensors of an unfinished output are safe on disk.

One line per fact: JSON, a tab, and a checksum of the JSON. The first line names the plan and the
layout. A line is appended only after the data it speaks of are durable, so whatever the journal
says after a crash is true; a torn last line is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import Disk

_CHECKSUM_DIGITS = 16


class Journal:
    """An append-only record of finished tensors."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._fd: int | None = None

    def read(self, heading: Mapping[str, str]) -> dict[str, str] | None:
        """What an earlier attempt finished: name -> digest; None when it was another plan's."""
        if not self._path.is_file():
            return None
        facts, _ = _sound_lines(self._path.read_bytes())
        if not facts or facts[0] != dict(heading):
            return None
        return {fact["tensor"]: fact["digest"] for fact in facts[1:]}

    def start(self, heading: Mapping[str, str]) -> None:
        """Begin a new journal."""
        self._disk.write_file(self._path, _line(heading))
        self._disk.sync_folder(self._path.parent)
        self._fd = self._disk.open(self._path, os.O_RDWR)

    def resume(self) -> None:
        """Continue the journal that was read, without its torn end."""
        self._fd = self._disk.open(self._path, os.O_RDWR)
        _, sound_bytes = _sound_lines(self._path.read_bytes())
        if self._disk.size(self._fd) > sound_bytes:
            self._disk.truncate(self._fd, sound_bytes)

    def append(self, finished: Mapping[str, str]) -> None:
        """Record tensors whose bytes are already durable; returns once the record is, too."""
        if self._fd is None:
            raise ValueError("the journal was not begun")
        lines = (_line({"tensor": name, "digest": digest}) for name, digest in finished.items())
        self._disk.append(self._fd, b"".join(lines))
        self._disk.sync(self._fd)

    def close(self) -> None:
        """Close the file; it stays."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._disk.close(fd)


def _line(fact: Mapping[str, str]) -> bytes:
    text = json.dumps(fact, sort_keys=True).encode()
    return text + b"\t" + _checksum(text) + b"\n"


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_CHECKSUM_DIGITS].encode()


def _sound_lines(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The facts before the first broken line, and how many bytes they take."""
    facts: list[dict[str, Any]] = []
    sound = 0
    for line in content.splitlines(keepends=True):
        text, _, checksum = line.rpartition(b"\t")
        if not line.endswith(b"\n") or checksum.strip() != _checksum(text):
            break
        facts.append(json.loads(text))
        sound += len(line)
    return facts, sound
