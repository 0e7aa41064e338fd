"""TALL masks and consensus task arithmetic in one pass over stored bits.

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
_ZERO = np.float32(0)
_NONE = np.uint32(0)


@compiled
def claimed(
    stored: Any, shift: Any, weight: Any, strictness: Any, votes: Any, agreement: Any,
    lambda_: Any, out: Any, out_shift: Any, work: Any,
) -> bool:  # fmt: skip
    """``base + lambda * sum_i(w_i * d_i)`` where enough votes claim the element, else the base.

    ``weight``, ``strictness`` and ``votes`` are float32 (models,): who claims casts so many votes.
    """
    models, largest, finite = weight.size, _NONE, True
    deltas, together, claims = work[:models], work[models], work[models + 1]
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        largest = larger(largest, load_deltas(stored, start, stop, shift, deltas))
        for m in range(models):
            delta, share = deltas[m], weight[m]
            for j in range(count):
                part = np.float32(delta[j] * share)
                together[j] = part if m == 0 else together[j] + part
        for j in range(count):
            claims[j] = _ZERO
        for m in range(models):
            delta, strict, vote = deltas[m], strictness[m], votes[m]
            for j in range(count):
                others = np.float32(abs(together[j] - delta[j]) * strict)
                claims[j] += vote if abs(delta[j]) > others else _ZERO
        base = stored[0, start:stop]
        for j in range(count):
            kept = together[j] if claims[j] >= agreement else _ZERO
            together[j] = number(base[j], shift) + np.float32(kept * lambda_)
        finite &= store(together[:count], out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)
