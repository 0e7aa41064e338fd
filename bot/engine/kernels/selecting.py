"""SCE's arithmetic: the disjoint mean of the deltas that were selected."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.deltas import load_deltas, sum_up
from bot.engine.kernels.tiles import TILE, store
from bot.engine.kernels.variance import select, spread

_ZERO, _ONE = np.float32(0), np.float32(1)
_NOTHING = np.float32(-0.0)
"""What a sum begins with: added to it, every number stays what it is, -0 too."""


@compiled
def selected_mean(
    stored: Any, first: int, shift: Any, cut: Any, room: Any, share: Any, out: Any, out_shift: Any
) -> bool:
    """``base + sum(c_i * d_i) / sum(c_i)`` over what was selected and agrees; whether it is finite.

    Args:
        stored: uint16 or uint32 (1 + models, columns), the base first.
        first: the column where ``out`` begins.
        shift: 16 for uint16, 0 for uint32.
        cut: float32 (1,), the variance from which elements are selected; empty selects all.
        room: int64 (1,), changed: how many elements at the cut may still be selected.
        share: float32 (models,), what every model weighs.
        out: uint16 or uint32 (elements,).
        out_shift: as ``shift``, for ``out``.
    """
    base_bits, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    base, total = base_bits.view(np.float32), bits.view(np.float32)
    deltas, work = np.empty((share.size, TILE), np.float32), np.empty((2, TILE), np.float32)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        finite &= load_deltas(stored, first + start, first + stop, shift, base_bits, bits, deltas)
        for threshold in cut:
            spread(deltas, count, work[0], work[1])
            select(work[1], count, threshold, room, deltas)
        _agree(deltas, count, share, total, work)
        for j in range(count):
            total[j] += base[j]
        finite &= store(bits, out_shift, out[start:stop])
    return finite


@compiled
def _agree(deltas: Any, count: int, share: Any, total: Any, work: Any) -> None:
    """The mean of the deltas whose sign is that of their sum, into ``total``."""
    mixed, weights = work[0], work[1]
    sum_up(deltas, count, total)
    for j in range(count):
        mixed[j] = _NOTHING
        weights[j] = _ZERO
    for m in range(share.size):
        delta, weight = deltas[m], share[m]
        for j in range(count):
            agrees = (delta[j] if total[j] >= _ZERO else -delta[j]) > _ZERO
            mixed[j] += delta[j] * weight if agrees else _ZERO
            weights[j] += weight if agrees else _ZERO
    for j in range(count):
        total[j] = mixed[j] / (_ONE if weights[j] == _ZERO else weights[j])
