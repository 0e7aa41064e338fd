"""One output file, written with direct I/O where the system allows it.

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
            self._disk.pwrite(direct, self._page_aligned(pages), position)
        except StorageError as error:
            # A file system may accept the flag and refuse the write, and a short direct write
            # can end inside a page; the page cache takes anything.
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EINVAL:
                raise
            self._disk.pwrite(self._buffered, pages, position)

    def _page_aligned(self, pages: memoryview) -> memoryview:
        """The same bytes in page-aligned memory, which direct I/O needs."""
        values = np.frombuffer(pages, np.uint8)
        if values.ctypes.data % PAGE == 0:
            return pages
        held = getattr(self._bounce, "buffer", None)
        if held is None or held.nbytes < pages.nbytes:
            memory = np.empty(pages.nbytes + PAGE, np.uint8)
            skip = -memory.ctypes.data % PAGE
            held = self._bounce.buffer = memory[skip:]
        held[: pages.nbytes] = values
        aligned: memoryview = held.data[: pages.nbytes]
        return aligned
