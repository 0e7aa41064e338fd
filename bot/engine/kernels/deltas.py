"""A tile of task vectors: every model less the base."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.tiles import load


@compiled
def load_deltas(
    stored: Any, start: int, stop: int, shift: Any, base: Any, bits: Any, deltas: Any
) -> bool:
    """A tile's base (its bits, uint32) and deltas (float32 (models, tile)); whether all is finite.

    ``stored`` is uint16 or uint32 (1 + models, columns), the base first; ``start`` and ``stop`` are
    columns.
    """
    finite = load(stored[0, start:stop], shift, base)
    values, origin = bits.view(np.float32), base.view(np.float32)
    for m in range(deltas.shape[0]):
        finite &= load(stored[m + 1, start:stop], shift, bits)
        delta = deltas[m]
        for j in range(stop - start):
            delta[j] = values[j] - origin[j]
    return finite


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
