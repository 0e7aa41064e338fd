"""Task vectors thinned out, weighed, agreed upon and added to the base: the TIES family."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.deltas import load_deltas, sum_up
from bot.engine.kernels.drops import unpack
from bot.engine.kernels.sums import add_magnitudes, subtract, total
from bot.engine.kernels.tiles import TILE, load, store
from bot.methods.reductions.lanes import LANES

SUM, ELECT, ELECT_MEAN = 0, 1, 2
_ZERO = np.float32(0)
_ONE = np.float32(1)


@compiled
def task_vectors(
    stored: Any,
    first: int,
    shift: Any,
    cuts: Any,
    room: Any,
    dropped: Any,
    scale: Any,
    weight: Any,
    consensus: int,
    divisor: Any,
    lambda_: Any,
    out: Any,
    out_shift: Any,
) -> bool:
    """``base + lambda * consensus_i(w_i * scale_i * thin_i(x_i - base))``; whether it is finite.

    Args:
        stored: uint16 or uint32 (1 + models, columns), the base first.
        first: the column where ``out`` begins.
        shift: 16 for uint16, 0 for uint32.
        cuts: float32 (models, 2): magnitudes below the first are dropped, above the second too;
            at the first, and not at the second, an element is kept while there is room.
        room: int64 (models, 2), changed: how many elements at each cut are still on its upper side.
        dropped: uint8 (models, elements / 8), bits that are 1 where an element is dropped, or
            (0, 0) without random drops.
        scale: float32 (models,); empty leaves the deltas as they are.
        weight: float32 (models,).
        consensus: ``SUM``, ``ELECT``, or ``ELECT_MEAN`` over the weights that took part.
        divisor: float32 of a sum; 1 divides by nothing.
        lambda_: float32.
        out: uint16 or uint32 (elements,).
        out_shift: as ``shift``, for ``out``.
    """
    models = weight.size
    bits, base_bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    base = base_bits.view(np.float32)
    votes, work = np.empty((models, TILE), np.float32), np.empty((2, TILE), np.float32)
    total_bits = np.empty(TILE, np.uint32)
    total = total_bits.view(np.float32)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        finite &= load_deltas(stored, first + start, first + stop, shift, base_bits, bits, votes)
        for m in range(models):
            vote = votes[m]
            _thin(vote, start, count, m, cuts, room, dropped)
            _weigh(vote, count, scale[m : m + 1], weight[m])
        sum_up(votes, count, total)
        if consensus != SUM:
            _elect(votes, count, weight, consensus == ELECT_MEAN, total, work)
        _add(total, base, count, divisor if consensus == SUM else _ONE, lambda_)
        finite &= store(total_bits, out_shift, out[start:stop])
    return finite


@compiled
def _add(total: Any, base: Any, count: int, divisor: Any, lambda_: Any) -> None:
    """``base + lambda * (total / divisor)``, in place."""
    if divisor != _ONE:
        for j in range(count):
            total[j] /= divisor
    for j in range(count):
        total[j] = base[j] + total[j] * lambda_


@compiled
def _thin(vote: Any, start: int, count: int, m: int, cuts: Any, room: Any, dropped: Any) -> None:
    if cuts.shape[0]:
        _trim(vote, count, cuts[m], room[m])
    if dropped.shape[0]:
        _drop(vote, count, dropped[m, start // 8 :])


@compiled
def _weigh(vote: Any, count: int, scale: Any, weight: Any) -> None:
    for factor in scale:
        for j in range(count):
            vote[j] *= factor
    for j in range(count):
        vote[j] *= weight


@compiled
def _trim(vote: Any, count: int, cut: Any, room: Any) -> None:
    """Zero what lies below the lower cut or above the upper one, elements at a cut by index."""
    lower, upper = cut[0], cut[1]
    at_lower, at_upper = 0, 0
    for j in range(count):
        magnitude = abs(vote[j])
        at_lower += magnitude == lower
        at_upper += magnitude == upper
    if 0 < room[0] < at_lower or 0 < room[1] < at_upper or lower == upper:
        _trim_by_index(vote, count, cut, room)
        return
    keep_lower, keep_upper = room[0] >= at_lower, room[1] <= 0
    for j in range(count):
        magnitude = abs(vote[j])
        above = magnitude >= lower if keep_lower else magnitude > lower
        below = magnitude <= upper if keep_upper else magnitude < upper
        vote[j] = vote[j] if above & below else _ZERO
    room[0] -= at_lower
    room[1] -= at_upper


@compiled
def _trim_by_index(vote: Any, count: int, cut: Any, room: Any) -> None:
    """The tile in which room runs out."""
    lower, upper = cut[0], cut[1]
    for j in range(count):
        magnitude = abs(vote[j])
        above, below = magnitude > lower, magnitude < upper
        if magnitude == lower:
            above = room[0] > 0
            room[0] -= 1
        if magnitude == upper:
            below = room[1] <= 0
            room[1] -= 1
        if not (above and below):
            vote[j] = _ZERO


@compiled
def _drop(vote: Any, count: int, dropped: Any) -> None:
    marks = np.empty(TILE, np.uint8)
    unpack(dropped, count, marks)
    for j in range(count):
        vote[j] *= _ZERO if marks[j] else _ONE


@compiled
def _elect(votes: Any, count: int, weight: Any, mean: bool, total: Any, work: Any) -> None:
    """Replace the sum by the sum (or mean) of the votes that have its sign."""
    mixed, shares = work[0], work[1]
    for j in range(count):
        mixed[j] = _ZERO
        shares[j] = _ZERO
    for m in range(weight.size):
        vote, share = votes[m], weight[m]
        for j in range(count):
            toward = vote[j] if total[j] >= _ZERO else -vote[j]
            mixed[j] += vote[j] if toward > _ZERO else _ZERO
            shares[j] += share if toward > _ZERO else _ZERO
    if not mean:
        for j in range(count):
            total[j] = mixed[j]
        return
    for j in range(count):
        total[j] = mixed[j] / (_ONE if shares[j] == _ZERO else shares[j])


@compiled
def magnitude_sums(
    stored: Any,
    first: int,
    elements: int,
    shift: Any,
    cuts: Any,
    room: Any,
    dropped: Any,
    sums: Any,
) -> None:
    """Add ``sum|d_i|`` and ``sum|thin_i(d_i)|`` of one grain to ``sums``, float64 (2, models).

    The grain has ``elements``; the other arguments are those of ``task_vectors``.
    """
    bits, base_bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    vote, base = bits.view(np.float32), base_bits.view(np.float32)
    lanes = np.empty((2, LANES))
    for m in range(sums.shape[1]):
        lanes[:] = 0
        for start in range(0, elements, TILE):
            stop = min(start + TILE, elements)
            delta = vote[: stop - start]
            load(stored[0, first + start : first + stop], shift, base_bits)
            load(stored[m + 1, first + start : first + stop], shift, bits)
            subtract(delta, base)
            add_magnitudes(delta, lanes[0])
            _thin(delta, start, delta.size, m, cuts, room, dropped)
            add_magnitudes(delta, lanes[1])
        sums[0, m] += total(lanes[0])
        sums[1, m] += total(lanes[1])
