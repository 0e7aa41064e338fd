"""SCE's arithmetic: the disjoint mean of the deltas that were selected."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import INFINITY, NOTHING, TILE, larger, number, store
from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.sce_variance import select, spread
from bot.engine.kernels.task_vector_tile import load_deltas, sum_up

WORK_ROWS = 3
"""Tiles beside one for each model."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def selected_mean(
    stored: Any, shift: Any, cut: Any, spare: Any, share: Any, out: Any, out_shift: Any, work: Any
) -> bool:
    """``base + sum(c_i * d_i) / sum(c_i)`` over what was selected and agrees; whether it is finite.

    Args:
        stored: uint16 or uint32 (1 + models, elements), the base first.
        shift: 16 for uint16, 0 for uint32.
        cut: float32 (1,), the variance from which elements are selected; empty selects all.
        spare: int64 (1,), changed: how many elements at the cut may still be selected.
        share: float32 (models,), what every model weighs.
        out: uint16 or uint32 (elements,).
        out_shift: as ``shift``, for ``out``.
        work: float32 (models + 3, tile).
    """
    models, largest, finite = share.size, np.uint32(0), True
    deltas, total, mixed, weights = (
        work[:models], work[models], work[models + 1], work[models + 2],
    )  # fmt: skip
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        largest = larger(largest, load_deltas(stored, start, stop, shift, deltas))
        if cut.size:
            spread(deltas, count, mixed, weights)
            select(weights, count, cut[0], spare, deltas)
        _agree(deltas, count, share, total, mixed, weights)
        base = stored[0, start:stop]
        for j in range(count):
            total[j] += number(base[j], shift)
        finite &= store(total[:count], out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)


@compiled
def _agree(deltas: Any, count: int, share: Any, total: Any, mixed: Any, weights: Any) -> None:
    """The mean of the deltas whose sign is that of their sum, into ``total``."""
    sum_up(deltas, count, total)
    for j in range(count):
        mixed[j] = NOTHING
        weights[j] = _ZERO
    for m in range(share.size):
        delta, weight = deltas[m], share[m]
        for j in range(count):
            agrees = (delta[j] if total[j] >= _ZERO else -delta[j]) > _ZERO
            mixed[j] += np.float32(delta[j] * weight) if agrees else _ZERO
            weights[j] += weight if agrees else _ZERO
    for j in range(count):
        total[j] = mixed[j] / (_ONE if weights[j] == _ZERO else weights[j])
