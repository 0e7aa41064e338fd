"""A tile of task vectors: every model less the base."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import difference, larger, magnitude_bits
from bot.engine.kernels.kernel import compiled


@compiled
def load_deltas(stored: Any, start: int, stop: int, shift: Any, deltas: Any) -> Any:
    """A tile's deltas, float32 (models, tile); the largest magnitude's bits.

    ``stored`` is uint16 or uint32 (1 + models, columns), the base first; ``start`` and ``stop`` are
    columns. What is not finite in an input is not finite in its delta.
    """
    base, largest = stored[0, start:stop], np.uint32(0)
    for m in range(stored.shape[0] - 1):
        found = subtract(stored[m + 1, start:stop], base, shift, deltas[m])
        largest = larger(largest, found)
    return largest


@compiled
def subtract(model: Any, base: Any, shift: Any, delta: Any) -> Any:
    """One model's deltas (float32); the largest magnitude's bits."""
    largest = np.uint32(0)
    for j in range(base.size):
        moved = difference(model[j], base[j], shift)
        largest = larger(largest, magnitude_bits(moved))
        delta[j] = moved
    return largest


@compiled
def sum_up(deltas: Any, count: int, total: Any) -> None:
    """The sum of a tile's deltas, in their order."""
    first = deltas[0]
    for j in range(count):
        total[j] = first[j]
    for m in range(1, deltas.shape[0]):
        delta = deltas[m]
        for j in range(count):
            total[j] += delta[j]
