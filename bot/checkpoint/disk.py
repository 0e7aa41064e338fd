"""File operations that sinks use: each either completes or raises ``StorageError``.

Every ``OSError`` becomes a ``StorageError`` that names the path. Tests pass a subclass that fails
at a chosen operation.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.errors import StorageError

_HINTS = {
    errno.ENOSPC: "free some space, or write to another disk; what was finished is kept",
    errno.EDQUOT: "your quota is used up; free some space or write elsewhere",
    errno.EFBIG: "the file system or a limit (ulimit -f) forbids files of this size",
    errno.EROFS: "the file system is read-only; write to another folder",
    errno.EACCES: "check the permissions of the folder, or write to another one",
    errno.EPERM: "check the permissions of the folder, or write to another one",
    errno.ENOENT: "the folder disappeared while it was in use; run the command again",
    errno.EBUSY: "a mount point cannot be replaced; write to a folder inside it",
    errno.EXDEV: "a mount point cannot be replaced; write to a folder inside it",
    errno.EMFILE: "raise the limit (ulimit -n), or choose a larger --out-shard-size",
    errno.ENFILE: "the system has too many open files; close some programs and run it again",
    errno.EISDIR: "a folder has this file's name; move it away",
    errno.ELOOP: "a link has this file's name; move it away",
}
_MAX_IO_BYTES = 1 << 30
# On Apple's systems a plain fsync does not reach the platter.
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


class Disk:
    """Plain file operations, each complete or a ``StorageError``."""

    def __init__(self) -> None:
        self._paths: dict[int, Path] = {}

    def open(self, path: Path, flags: int) -> int:
        """Open a file, or create it with ``os.O_CREAT``; symbolic links are not followed.

        Returns:
            The descriptor.
        """
        with explained("open", path):
            fd = os.open(path, flags | os.O_NOFOLLOW | getattr(os, "O_CLOEXEC", 0), 0o644)
        self._paths[fd] = path
        return fd

    def open_direct(self, path: Path) -> int | None:
        """Open a file for writing past the page cache; None where that cannot be done."""
        try:
            return self.open(path, os.O_RDWR | os.O_DIRECT)
        except (AttributeError, StorageError):
            return None

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        with explained("close", self._paths.pop(fd)):
            os.close(fd)

    @contextmanager
    def opened(self, path: Path, flags: int) -> Iterator[int]:
        """An open file that is closed whatever happens."""
        fd = self.open(path, flags)
        try:
            yield fd
        finally:
            self.close(fd)

    def pwrite(self, fd: int, data: memoryview, offset: int) -> None:
        """Write all of ``data`` at ``offset``, continuing after short writes."""
        while data.nbytes:
            with explained("write to", self._paths[fd], data.nbytes):
                written = self.pwrite_some(fd, data[:_MAX_IO_BYTES], offset)
            if written == 0:
                raise StorageError(f"cannot write to {self._paths[fd]}: the disk took no bytes")
            data = data[written:]
            offset += written

    def pwrite_some(self, fd: int, data: memoryview, offset: int) -> int:
        """One write call; may be short."""
        return os.pwrite(fd, data, offset)

    def append(self, fd: int, data: bytes) -> None:
        """Write all of ``data`` at the end of the file."""
        self.pwrite(fd, memoryview(data), self.size(fd))

    def size(self, fd: int) -> int:
        """Bytes in an open file."""
        with explained("look at", self._paths[fd]):
            return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        """Cut an open file to ``size`` bytes."""
        with explained("shorten", self._paths[fd]):
            os.ftruncate(fd, size)

    def allocate(self, fd: int, size: int) -> None:
        """Reserve ``size`` bytes, so that a full disk is reported before the work starts."""
        if size == 0:
            return
        with explained("reserve space for", self._paths[fd], size):
            try:
                os.posix_fallocate(fd, 0, size)
            except (AttributeError, OSError) as error:
                unsupported = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
                if isinstance(error, OSError) and error.errno not in unsupported:
                    raise
                os.ftruncate(fd, size)

    def sync_data(self, fd: int) -> None:
        """Return once the file's bytes survive a power cut."""
        with explained("write to", self._paths[fd]):
            if _FULL_SYNC is not None:
                fcntl.fcntl(fd, _FULL_SYNC)
            else:
                getattr(os, "fdatasync", os.fsync)(fd)

    def sync(self, fd: int) -> None:
        """Return once bytes and size of the file survive a power cut."""
        with explained("write to", self._paths[fd]):
            if _FULL_SYNC is not None:
                fcntl.fcntl(fd, _FULL_SYNC)
            else:
                os.fsync(fd)

    def sync_folder(self, path: Path) -> None:
        """Return once a folder's directory entries survive a power cut."""
        with explained("write to", path):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def make_folder(self, path: Path) -> None:
        """Make a folder and its parents where they are missing."""
        with explained("make the folder", path):
            path.mkdir(parents=True, exist_ok=True)

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file or folder atomically."""
        with explained("rename to", new):
            old.replace(new)

    def remove(self, path: Path) -> None:
        """Remove a file if it exists."""
        with explained("remove", path):
            path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder and its contents if it exists."""
        with explained("remove", path):
            if path.exists():
                shutil.rmtree(path)

    def write_file(self, path: Path, data: bytes) -> None:
        """Write a small file and make it durable; not atomic."""
        with self.opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
            self.pwrite(fd, memoryview(data), 0)
            self.sync(fd)


def write_atomic(path: Path, data: bytes, *, disk: Disk | None = None) -> None:
    """Replace a file atomically: after a crash it has the old bytes or the new ones, never a mix.

    Raises:
        StorageError: the disk refused; names the path.
    """
    disk = disk or Disk()
    disk.make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        disk.write_file(partial, data)
        disk.rename(partial, path)
    except StorageError:
        with suppress(OSError):  # the first failure is the one to report
            partial.unlink(missing_ok=True)
        raise
    disk.sync_folder(path.parent)


@contextmanager
def explained(doing: str, path: Path, need: int | None = None) -> Iterator[None]:
    """Turn an ``OSError`` inside the block into a ``StorageError``: "cannot DOING PATH"."""
    try:
        yield
    except OSError as error:
        size = "" if need is None else f" ({need} bytes)"
        reason = error.strerror or str(error)
        hint = _HINTS.get(error.errno or 0, "check the disk and run the command again")
        raise StorageError(f"cannot {doing} {path}{size}: {reason}", hint=hint) from error
