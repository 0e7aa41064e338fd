"""Disks that remember, die at a chosen operation, or take fewer bytes than they are given."""

from __future__ import annotations

import os
from pathlib import Path

from bot.checkpoint.disk import Disk

CRASH_STATUS = 137


class RecordingDisk(Disk):
    """Writes down every operation that changes the disk, in order, and may die before one.

    ``writes`` gives offset and bytes of those operations that are writes.
    """

    def __init__(self, crash_at: int | None = None) -> None:
        super().__init__()
        self.operations: list[tuple[str, str]] = []
        self.writes: dict[int, tuple[int, bytes]] = {}
        self._crash_at = crash_at

    def pwrite_some(self, fd: int, data: memoryview, offset: int) -> int:
        self.writes[len(self.operations)] = (offset, bytes(data))
        if self._reached("write", self._paths[fd]):
            super().pwrite_some(fd, data[: data.nbytes // 2], offset)
            os._exit(CRASH_STATUS)
        return super().pwrite_some(fd, data, offset)

    def allocate(self, fd: int, size: int) -> None:
        self._step("allocate", self._paths[fd])
        super().allocate(fd, size)

    def truncate(self, fd: int, size: int) -> None:
        self._step("truncate", self._paths[fd])
        super().truncate(fd, size)

    def sync_data(self, fd: int) -> None:
        self._step("sync", self._paths[fd])
        super().sync_data(fd)

    def sync(self, fd: int) -> None:
        self._step("sync", self._paths[fd])
        super().sync(fd)

    def sync_folder(self, path: Path) -> None:
        self._step("sync folder", path)
        super().sync_folder(path)

    def make_folder(self, path: Path) -> None:
        self._step("make folder", path)
        super().make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", new)
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._step("remove", path)
        super().remove(path)

    def _step(self, what: str, path: Path) -> None:
        if self._reached(what, path):
            os._exit(CRASH_STATUS)

    def _reached(self, what: str, path: Path) -> bool:
        self.operations.append((what, path.name))
        return len(self.operations) == self._crash_at


class ShortDisk(Disk):
    """Takes at most ``most`` bytes a time."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def pwrite_some(self, fd: int, data: memoryview, offset: int) -> int:
        return super().pwrite_some(fd, data[: self._most], offset)
