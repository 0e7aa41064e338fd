"""Content by its sha256: written to a temporary name, renamed; read in chunks.

This outlives a killed server, not a power cut: a sync for each of 600 small files took 2.4 s.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

CHUNK = 1 << 20


def git_blob_oid(content: bytes) -> str:
    """The sha1 git gives to a blob with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The small text file that git stores in place of an LFS object."""
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    return text.encode()


class BlobWriter:
    """Takes a stream of bytes and hashes it; keeps it on disk, or only counts it."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self._hash = hashlib.sha256()
        self._path = folder / uuid.uuid4().hex
        self._file: IO[bytes] | None = self._path.open("wb") if keep else None
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def keep_as(self, target: Path) -> None:
        """Give the bytes their final name; a no-op for a stream that is only counted."""
        if self._file is None:
            return
        self._file.close()
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(target)


class BlobStore:
    """A folder of immutable files named by their sha256."""

    def __init__(self, root: Path) -> None:
        self._root = root / "blobs"
        self._incoming = root / "incoming"
        self._root.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def size(self, sha256: str) -> int | None:
        """Bytes of a stored blob, None when there is none."""
        return self.path(sha256).stat().st_size if self.has(sha256) else None

    def writer(self, *, keep: bool = True) -> BlobWriter:
        return BlobWriter(self._incoming, keep=keep)

    def part(self, upload: str, number: int) -> Path:
        """Where one part of a multipart upload waits for its completion."""
        folder = self._incoming / upload
        folder.mkdir(exist_ok=True)
        return folder / f"{number:05d}"

    def add(self, chunks: Iterable[bytes]) -> str:
        """Store the joined chunks; returns their sha256."""
        with self.writer() as writer:
            for chunk in chunks:
                writer.write(chunk)
            writer.keep_as(self.path(writer.sha256))
            return writer.sha256

    def chunks(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `[start, stop)` of a stored blob."""
        yield from file_chunks(self.path(sha256), start, stop)

    def read(self, sha256: str, limit: int) -> bytes:
        """At most the first `limit` bytes; none of a blob that was only hashed."""
        if not self.has(sha256):
            return b""
        with self.path(sha256).open("rb") as file:
            return file.read(limit)


def file_chunks(path: Path, start: int, stop: int) -> Iterator[bytes]:
    """Bytes `[start, stop)` of a file, at most `CHUNK` at a time."""
    with path.open("rb") as file:
        file.seek(start)
        left = stop - start
        while left > 0 and (data := file.read(min(CHUNK, left))):
            left -= len(data)
            yield data
