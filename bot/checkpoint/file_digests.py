"""Digests of files, computed in one pass over the bytes and kept until a file changes.

A kept digest belongs to a device, an inode, a size, and the times of change in nanoseconds (mtime
and ctime). Where any of them differs, the file is read again. Each inode has one small JSON file,
which is replaced in one step, so that any number of processes may share the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.checkpoint.digest import BLOCK_BYTES, TensorDigest
from bot.checkpoint.disk import write_atomic
from bot.checkpoint.header import Extent
from bot.errors import StorageError
from leaderboard.versioned_json import JsonFormat

FORMAT = JsonFormat(name="mergebot.file-digest", version=1, error=StorageError, remade=True)
SETTLED_NS = 100_000_000
"""A file that changed within this time may change again without its times showing it."""

ReadInto = Callable[[int, memoryview], None]
"""Fills a buffer with the file's bytes from a position on."""


@dataclass(frozen=True, kw_only=True)
class FileDigest:
    """SHA-256 of a whole file in hex, and the digest of each tensor in it."""

    sha256: str
    tensors: Mapping[str, str] = field(default_factory=dict)


class FileDigests:
    """Digests of files; each file is hashed once per process, or once ever with a folder.

    Args:
        folder: where digests are kept between processes; None keeps them in memory only.
        rehash: do not trust what the folder holds; it is written anew.
        clock: nanoseconds since 1970.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        rehash: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._rehash = rehash
        self._clock = clock
        self._known: dict[str, FileDigest] = {}

    def of(self, descriptor: int, read_into: ReadInto, extents: Mapping[str, Extent]) -> FileDigest:
        """The digest of an open file.

        Args:
            descriptor: of the open file.
            read_into: reads from it.
            extents: the tensors whose digests are wanted, by name.

        Raises:
            CheckpointError: the file cannot be read, or changes while it is read.
            StorageError: the kept digest has a version that cannot be read.
        """
        facts = _facts(os.fstat(descriptor))
        key = json.dumps(facts)
        known = self._known.get(key) or self._kept(facts)
        if known is not None and extents.keys() <= known.tensors.keys():
            self._known[key] = known
            return known
        begun = self._clock()
        found = hash_file(facts["size"], read_into, extents)
        if _facts(os.fstat(descriptor)) == facts:
            self._known[key] = found
            if begun - max(facts["mtime_ns"], facts["ctime_ns"]) > SETTLED_NS:
                self._keep(facts, found)
        return found

    def _kept(self, facts: Mapping[str, int]) -> FileDigest | None:
        """What the folder has of a file; None where it has nothing, or nothing that is readable."""
        if self._folder is None or self._rehash:
            return None
        path = self._path(facts)
        try:
            content: Any = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(content, dict):
            return None
        content = FORMAT.migrate(content, where=str(path))
        tensors, sha256 = content.get("tensors"), content.get("sha256")
        if content.get("file") != facts or not _are_digests(sha256, tensors):
            return None
        return FileDigest(sha256=sha256, tensors=tensors)

    def _keep(self, facts: Mapping[str, int], found: FileDigest) -> None:
        if self._folder is None:
            return
        content = {"file": facts, "sha256": found.sha256, "tensors": dict(found.tensors)}
        write_atomic(self._path(facts), FORMAT.dump(content).encode())

    def _path(self, facts: Mapping[str, int]) -> Path:
        assert self._folder is not None  # noqa: S101 - callers have looked
        return self._folder / f"{facts['device']}-{facts['inode']}.json"


def hash_file(size: int, read_into: ReadInto, extents: Mapping[str, Extent]) -> FileDigest:
    """Read a file once, from the first byte to the last, for all of its digests."""
    whole = hashlib.sha256()
    buffer = memoryview(bytearray(BLOCK_BYTES))
    tensors: dict[str, str] = {}

    def take(position: int, end: int, digest: TensorDigest | None, start: int) -> None:
        while position < end:
            block = buffer[: min(BLOCK_BYTES, end - position)]
            read_into(position, block)
            whole.update(block)
            if digest is not None:
                digest.take(position - start, block)
            position += block.nbytes

    position = 0
    for name, extent in sorted(extents.items(), key=lambda item: item[1].start):
        take(position, extent.start, None, 0)
        digest = TensorDigest(extent.spec.nbytes)
        position = extent.start + extent.spec.nbytes
        take(extent.start, position, digest, extent.start)
        tensors[name] = digest.hexdigest()
    take(position, size, None, 0)
    return FileDigest(sha256=whole.hexdigest(), tensors=tensors)


def _facts(status: os.stat_result) -> dict[str, int]:
    return {
        "device": status.st_dev,
        "inode": status.st_ino,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
    }


def _are_digests(sha256: Any, tensors: Any) -> bool:
    named = isinstance(tensors, dict) and all(isinstance(one, str) for one in tensors.values())
    return isinstance(sha256, str) and named
