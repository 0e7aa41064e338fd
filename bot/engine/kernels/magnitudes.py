"""Counting the magnitudes of deltas: the passes of the exact k-th magnitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_TILE = 4096


@compiled
def _delta_bits(base: Any, model: Any, start: int, count: int, shift: Any, work: Any) -> None:
    """Bits of ``|model - base|`` into the third row of ``work`` (uint32, (3, tile))."""
    left, right, delta = work[0], work[1], work[2]
    for j in range(count):
        left[j] = np.uint32(base[start + j]) << shift
        right[j] = np.uint32(model[start + j]) << shift
    a, b, d = left.view(np.float32), right.view(np.float32), delta.view(np.float32)
    for j in range(count):
        d[j] = b[j] - a[j]
    for j in range(count):
        delta[j] &= _MAGNITUDE


@compiled
def count_high(base: Any, model: Any, shift: Any, counts: Any) -> None:
    """Histogram of the high 16 bits of ``|model - base|`` into ``counts`` (65536 bins)."""
    work = np.empty((3, _TILE), np.uint32)
    odd = np.zeros(counts.size, np.int64)  # neighbours are often equal: two tables, no stall
    delta = work[2]
    for start in range(0, base.size, _TILE):
        count = min(_TILE, base.size - start)
        _delta_bits(base, model, start, count, shift, work)
        for j in range(0, count - 1, 2):
            counts[delta[j] >> np.uint32(16)] += 1
            odd[delta[j + 1] >> np.uint32(16)] += 1
        if count % 2:
            counts[delta[count - 1] >> np.uint32(16)] += 1
    for bin_ in range(counts.size):
        counts[bin_] += odd[bin_]


@compiled
def count_low(base: Any, model: Any, shift: Any, place: Any, counts: Any) -> None:
    """Histogram of the low 16 bits of those ``|model - base|`` whose high 16 bits are ``place``."""
    work = np.empty((3, _TILE), np.uint32)
    delta = work[2]
    for start in range(0, base.size, _TILE):
        count = min(_TILE, base.size - start)
        _delta_bits(base, model, start, count, shift, work)
        for j in range(count):
            if delta[j] >> np.uint32(16) == place:
                counts[delta[j] & np.uint32(0xFFFF)] += 1


@compiled
def count_equal(base: Any, model: Any, shift: Any, magnitude: Any) -> int:
    """How many ``|model - base|`` have exactly these bits."""
    work = np.empty((3, _TILE), np.uint32)
    delta = work[2]
    found = 0
    for start in range(0, base.size, _TILE):
        count = min(_TILE, base.size - start)
        _delta_bits(base, model, start, count, shift, work)
        for j in range(count):
            found += delta[j] == magnitude
    return found
