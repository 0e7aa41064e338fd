"""Memory that a thread uses again and again, so that the system maps it once."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

import numpy as np

PAGE = 4096
INPUTS, WIDENED, MERGED, ROUNDED = range(4)
"""Slots: what was read, as float32 where kernels cannot read it, and the result likewise."""


class Scratch(threading.local):
    """Page-aligned buffers of this thread, by slot; each grows to the largest size asked for.

    Args:
        fresh: where memory comes from.
    """

    def __init__(self, fresh: Callable[[int], memoryview]) -> None:
        self._fresh = fresh
        self._slots: dict[int, memoryview] = {}

    def take(self, slot: int, nbytes: int) -> memoryview:
        """``nbytes`` of writable memory with undefined contents; the slot's former use ends."""
        held = self._slots.get(slot)
        if held is None or held.nbytes < nbytes:
            held = self._slots[slot] = self._fresh(nbytes)
        return held[:nbytes]


def aligned(nbytes: int) -> memoryview:
    """Fresh memory that begins on a page, as direct I/O wants it."""
    room = np.empty(nbytes + PAGE, np.uint8)
    skip = -room.ctypes.data % PAGE
    return room.data[skip : skip + nbytes]


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's mallopt


def keep_freed_memory() -> None:
    """Ask the C library to use freed memory again rather than to return it to the system.

    Arrays of a grain come and go all the time; by default each is mapped, cleared page by page and
    unmapped, which costs more than the arithmetic in it (measured: four times). Where the library
    is not glibc nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, 32 << 20)
    mallopt(_TRIM_THRESHOLD, 64 << 20)
