"""Scratch arrays of kernels: each thread has its own and reuses them for every grain."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.float_bits import TILE
from bot.methods.reductions.magnitude_histogram import BINS, Histogram
from bot.methods.reductions.ordered_sum import LANES

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]


class _ScratchArrays(threading.local):
    def __init__(self) -> None:
        self.held: dict[tuple[str, type[Any]], npt.NDArray[Any]] = {}


_arrays = _ScratchArrays()


def scratch(use: str, shape: tuple[int, ...], dtype: type[Any]) -> npt.NDArray[Any]:
    """This thread's contiguous array for a use: zeros at first, then what was left in it."""
    size, key = prod(shape), (use, dtype)
    held = _arrays.held.get(key)
    if held is None or held.size < size:
        held = _arrays.held[key] = np.zeros(size, dtype)
    return held[:size].reshape(shape)


def tiles(rows: int) -> Floats:
    """So many tiles of float32, with undefined contents."""
    return scratch("tiles", (rows, TILE), np.float32)


def lanes(*rows: int) -> npt.NDArray[np.float64]:
    """Lanes of long sums: zeros, which kernels leave behind too."""
    return scratch("lanes", (*rows, LANES), np.float64)


def high_tables() -> Words:
    """Two tables of the first pass over magnitudes: zeros, which kernels leave behind too."""
    return scratch("high", (2, BINS), np.uint32)


def low_tables(rows: int) -> Words:
    """Tables of the second pass, likewise."""
    return scratch("low", (rows, BINS), np.uint32)


def bins() -> Words:
    """Bins and how many each holds, with undefined contents."""
    return scratch("bins", (2, BINS), np.uint32)


def histogram(found: Words, held: int) -> Histogram:
    """A copy of the first columns of ``bins``."""
    numbers, counts = found[:, :held]
    return Histogram(numbers.astype(np.uint16), counts.copy())


def marks(elements: int = TILE) -> npt.NDArray[np.uint64]:
    """A byte for every element, of a tile unless said otherwise, with undefined contents."""
    return scratch("marks", (-(-elements // 8),), np.uint64)
