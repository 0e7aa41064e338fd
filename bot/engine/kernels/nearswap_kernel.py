"""NearSwap in one pass over stored bits.

The kernel takes stored rows as ``load_deltas`` does and scratch tiles to work in; ``out_shift``
is what ``shift`` is, for ``out``. It returns whether everything is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import INFINITY, TILE, larger, magnitude_bits, number, store
from bot.engine.kernels.kernel import compiled

_ZERO = np.float32(0)
_NONE = np.uint32(0)


@compiled
def step_towards(stored: Any, shift: Any, t: Any, out: Any, out_shift: Any, work: Any) -> bool:
    """The base moved towards the model by at most ``t`` (float32)."""
    largest, finite = _NONE, True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        base, model, moved = stored[0, start:stop], stored[1, start:stop], work[0, : stop - start]
        for j in range(moved.size):
            origin, aim = number(base[j], shift), number(model[j], shift)
            delta = np.float32(aim - origin)
            largest = larger(largest, magnitude_bits(delta))
            step = np.float32(origin + (t if delta > _ZERO else -t))
            moved[j] = aim if abs(delta) <= t else step
        finite &= store(moved, out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)
