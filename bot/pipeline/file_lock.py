"""A file lock: one process at a time works on what a path stands for."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.checkpoint.disk import Disk
from bot.events import Event, Report


@contextmanager
def exclusive_lock(stage: str, path: Path, report: Report) -> Iterator[None]:
    """Keep other processes away from what ``path`` stands for; wait for one that is at work.

    The lock is an empty hidden file beside the path, ``.<name>.mergebot-lock``. It is removed at
    the end. The system releases the lock of a process that dies.

    Args:
        stage: the stage that the note about waiting belongs to.
        path: what is locked; it need not exist.
        report: is told when another process holds the lock.

    Raises:
        StorageError: the lock file cannot be made.
    """
    disk, file = Disk(), path.with_name(f".{path.name}.mergebot-lock")
    disk.make_folder(file.parent)
    descriptor = _acquire(stage, path, file, disk, report)
    try:
        yield
    finally:
        with suppress(OSError):
            if os.fstat(descriptor).st_size == 0:  # a file with content is the user's
                file.unlink()
        disk.close(descriptor)


def _acquire(stage: str, path: Path, file: Path, disk: Disk, report: Report) -> int:
    """Open and lock the file; whoever held it before removes it, so it is opened again if gone."""
    while True:
        descriptor = disk.open(file, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Event(stage, "note", item=f"another process is at work on {path}; waiting"))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except BaseException:
                disk.close(descriptor)
                raise
        except OSError:
            return descriptor  # this file system has no locks: the user runs one process at a time
        with suppress(FileNotFoundError):
            if file.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        disk.close(descriptor)
