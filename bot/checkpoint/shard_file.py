"""One output file, written past the page cache where the system allows it.

Whole pages go out by direct I/O (measured several times faster than buffered writing and syncing),
ragged ends through the page cache, so that no page is written both ways. Where direct I/O is not to
be had (tmpfs, macOS) or a write of it is refused, the page cache takes all.
"""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np

from bot.checkpoint.disk import Disk
from bot.errors import StorageError

PAGE = 4096
_WORTH_IT = 1 << 18


class ShardFile:
    """A file of known size, open for writing at any position. Thread-safe."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._buffered = disk.open(path, os.O_RDWR)
        self._direct = disk.open_direct(path)
        self._bounce = threading.local()

    def write(self, position: int, data: memoryview) -> None:
        """Write bytes; they are durable after ``sync``."""
        head = -position % PAGE
        whole = (data.nbytes - head) // PAGE * PAGE
        if self._direct is None or whole < _WORTH_IT:
            self._disk.pwrite(self._buffered, data, position)
            return
        tail = head + whole
        self._write_pages(self._direct, position + head, data[head:tail])
        if head:
            self._disk.pwrite(self._buffered, data[:head], position)
        if tail < data.nbytes:
            self._disk.pwrite(self._buffered, data[tail:], position + tail)

    def sync(self) -> None:
        """Return once everything written so far survives a power cut."""
        self._disk.sync_data(self._buffered)

    def close(self) -> None:
        """Close the file."""
        try:
            self._disk.close(self._buffered)
        finally:
            if self._direct is not None:
                self._disk.close(self._direct)

    def _write_pages(self, direct: int, position: int, pages: memoryview) -> None:
        try:
            self._disk.pwrite(direct, self._on_a_page(pages), position)
        except StorageError as error:
            # A file system may accept the flag and refuse the write, and a short direct write
            # can end inside a page; the page cache takes anything.
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EINVAL:
                raise
            self._disk.pwrite(self._buffered, pages, position)

    def _on_a_page(self, pages: memoryview) -> memoryview:
        """The same bytes where memory begins on a page, as direct I/O demands."""
        values = np.frombuffer(pages, np.uint8)
        if values.ctypes.data % PAGE == 0:
            return pages
        held = getattr(self._bounce, "buffer", None)
        if held is None or held.nbytes < pages.nbytes:
            room = np.empty(pages.nbytes + PAGE, np.uint8)
            skip = -room.ctypes.data % PAGE
            held = self._bounce.buffer = room[skip:]
        held[: pages.nbytes] = values
        moved: memoryview = held.data[: pages.nbytes]
        return moved
