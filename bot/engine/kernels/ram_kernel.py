"""RAM and RAM+ in one pass over stored bits.

The kernel takes stored rows as ``load_deltas`` does and scratch tiles to work in; ``out_shift``
is what ``shift`` is, for ``out``. It returns whether everything is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import INFINITY, TILE, larger, number, store
from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.task_vector_tile import load_deltas

WORK_ROWS = 2
"""Tiles beside one for each model."""
_ZERO, _ONE = np.float32(0), np.float32(1)
_NONE = np.uint32(0)


@compiled
def pooled(
    stored: Any, shift: Any, epsilon: Any, gains: Any, out: Any, out_shift: Any, work: Any
) -> bool:
    """The base and its active changes, times ``gains`` (float32) where alone, else their mean."""
    models, largest, finite = gains.size, _NONE, True
    deltas, mixed, found = work[:models], work[models], work[models + 1]
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        largest = larger(largest, load_deltas(stored, start, stop, shift, deltas))
        _count_active(deltas, count, epsilon, found)
        for m in range(models):
            delta, gain = deltas[m], gains[m]
            for j in range(count):
                raised = np.float32(delta[j] * gain) if found[j] == _ONE else delta[j]
                part = raised if abs(delta[j]) > epsilon else _ZERO
                mixed[j] = part if m == 0 else mixed[j] + part
        base = stored[0, start:stop]
        for j in range(count):
            divisor = max(_ONE, found[j])
            mixed[j] = number(base[j], shift) + np.float32(mixed[j] / divisor)
        finite &= store(mixed[:count], out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)


@compiled
def _count_active(deltas: Any, count: int, epsilon: Any, found: Any) -> None:
    """How many models moved each element of a tile by more than epsilon."""
    for j in range(count):
        found[j] = _ZERO
    for m in range(deltas.shape[0]):
        delta = deltas[m]
        for j in range(count):
            found[j] += _ONE if abs(delta[j]) > epsilon else _ZERO


@compiled
def count_shared(stored: Any, shift: Any, epsilon: Any, counts: Any, work: Any) -> None:
    """Add every model's shared and unique changes to ``counts``, int64 (2, models)."""
    models = counts.shape[1]
    deltas, found = work[:models], work[models]
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        load_deltas(stored, start, stop, shift, deltas)
        _count_active(deltas, stop - start, epsilon, found)
        for m in range(models):
            delta = deltas[m]
            active, alone = _NONE, _NONE
            for j in range(stop - start):
                moved = abs(delta[j]) > epsilon
                active = np.uint32(active + np.uint32(moved))
                alone = np.uint32(alone + np.uint32(moved & (found[j] == _ONE)))
            counts[0, m] += np.uint32(active - alone)
            counts[1, m] += alone
