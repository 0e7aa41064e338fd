"""Memory for reading and writing: buffers that each thread reuses, and how freed memory is kept."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

PAGE = 4096
INPUTS, WIDENED, MERGED, ROUNDED = range(4)
"""Slots: inputs as stored, inputs in float32 where kernels cannot read them, the result as stored,
and the result in float32 where kernels cannot write it."""
REUSED_TASK_BYTES = 4 << 20
"""Memory freed by a whole tensor's task of this size or more is returned to the system."""


class Buffers(Protocol):
    """Where buffers come from."""

    def take(self, slot: int, nbytes: int) -> memoryview:
        """``nbytes`` of writable memory with undefined contents; the slot's former use ends."""
        ...


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
            self._slots.pop(slot, None)
            del held  # freed before a larger one is made
            held = self._slots[slot] = self._fresh(nbytes)
        return held[:nbytes]


class FreshBuffers:
    """Buffers for tensors that are computed whole: a thread keeps none when it is done."""

    def take(self, slot: int, nbytes: int) -> memoryview:
        """``nbytes`` of page-aligned memory."""
        del slot
        return aligned(nbytes)


def aligned(nbytes: int) -> memoryview:
    """Fresh memory that begins on a page, as direct I/O wants it."""
    whole = np.empty(nbytes + PAGE, np.uint8)
    skip = -whole.ctypes.data % PAGE
    return whole.data[skip : skip + nbytes]


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


def return_freed_memory() -> None:
    """Give the system what was freed, which the C library would hold ready for this thread.

    Linear algebra on a whole tensor frees many copies of it; without this every thread would hold
    as many. Where the library is not glibc nothing happens.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(0)
