"""Task vectors sparsified, weighted, combined with or without a sign election: the TIES family."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import (
    INFINITY,
    MAGNITUDE,
    TILE,
    bits_of,
    difference,
    larger,
    magnitude_bits,
    number,
    rounded,
    rounding,
    within,
)
from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.ordered_sum_kernel import add_magnitudes, total
from bot.engine.kernels.packed_bits import unpack
from bot.engine.kernels.task_vector_tile import sum_up
from bot.methods.reductions.ordered_sum import LANES

SUM, ELECT, ELECT_MEAN = 0, 1, 2
WORK_ROWS = 3
"""Tiles that ``task_vectors`` works in, beside one for each model."""
_NONE = np.uint32(0)
_ZERO, _ONE = np.float32(0), np.float32(1)
_NO_MAGNITUDE = np.float64(0)


@compiled
def task_vectors(
    stored: Any, shift: Any, ends: Any, bands: Any, dropped: Any, scale: Any, weight: Any,
    consensus: int, divisor: Any, lambda_: Any, out: Any, out_shift: Any, work: Any, marks: Any,
) -> bool:  # fmt: skip
    """``base + lambda * consensus_i(w_i * scale_i * thin_i(x_i - base))``; whether it is finite.

    Args:
        stored: uint16 or uint32 (1 + models, elements), the base first.
        shift: 16 for uint16, 0 for uint32.
        ends: int64 (parts,), rising, where parts of the elements end that have bands of their own.
        bands: uint32 (parts, models, 2): kept are magnitudes whose bits are at most the second
            number above the first.
        dropped: uint8 (models, elements / 8), bits that are 1 where an element becomes a zero of
            its own sign; then nothing else decides. (0, 0) where bands do.
        scale: float32 (models,).
        weight: float32 (models,).
        consensus: ``SUM``, ``ELECT``, or ``ELECT_MEAN`` over the weights that took part.
        divisor: float32 of a sum; 1 divides by nothing.
        lambda_: float32.
        out: uint16 or uint32 (elements,).
        out_shift: as ``shift``, for ``out``.
        work: float32 (models + 3, tile).
        marks: uint64 (tile / 8,).
    """
    models = weight.size
    largest, finite = _NONE, True
    part, start = 0, 0
    while start < out.size:
        part += start == ends[part]
        stop = min(start + TILE, ends[part])
        base, count = stored[0, start:stop], stop - start
        total, mixed, shares = work[models], work[models + 1], work[models + 2]
        for m in range(models):
            vote, model = work[m, :count], stored[m + 1, start:stop]
            if dropped.shape[0]:
                unpack(dropped[m, start // 8 :], count, marks)
                single = marks.view(np.uint8)
                found = _marked_vote(model, base, shift, single, scale[m], weight[m], vote)
            else:
                band = bands[part, m]
                found = _vote(model, base, shift, band, scale[m], weight[m], vote)
            largest = larger(largest, found)
        if consensus == SUM:
            sum_up(work[:models], count, mixed)
            if divisor != _ONE:
                for j in range(count):
                    mixed[j] /= divisor
        elif models == 2:
            _elected_of_two(work[0], work[1], weight, consensus == ELECT_MEAN, mixed[:count])
        else:
            sum_up(work[:models], count, total)
            _elected(work[:models], count, weight, consensus == ELECT_MEAN, total, mixed, shares)
        finite &= _store(base, shift, mixed, lambda_, out[start:stop], out_shift)
        start = stop
    return finite and bool(largest < INFINITY)


@compiled
def _vote(model: Any, base: Any, shift: Any, band: Any, scale: Any, weight: Any, vote: Any) -> Any:
    """A model's weighed delta, zero outside the band."""
    lowest, width, largest = band[0], band[1], _NONE
    for j in range(vote.size):
        delta = difference(model[j], base[j], shift)
        bits = magnitude_bits(delta)
        largest = larger(largest, bits)
        kept = delta if np.uint32(bits - lowest) <= width else _ZERO
        vote[j] = np.float32(np.float32(kept * scale) * weight)
    return largest


@compiled
def _marked_vote(
    model: Any, base: Any, shift: Any, marks: Any, scale: Any, weight: Any, vote: Any
) -> Any:
    """A model's weighed delta, a zero of its sign where it is marked."""
    largest = _NONE
    for j in range(vote.size):
        delta = difference(model[j], base[j], shift)
        largest = larger(largest, magnitude_bits(delta))
        lost = np.float32(delta * _ZERO)
        vote[j] = np.float32(np.float32((lost if marks[j] else delta) * scale) * weight)
    return largest


@compiled
def _elected_of_two(first: Any, second: Any, weight: Any, mean: bool, mixed: Any) -> None:
    """As ``_elected``, in one pass."""
    share = weight[0] if mean else _ZERO
    other_share = weight[1] if mean else _ZERO
    for j in range(mixed.size):
        up = np.float32(first[j] + second[j]) >= _ZERO
        one = (first[j] if up else -first[j]) > _ZERO
        other = (second[j] if up else -second[j]) > _ZERO
        taken = np.float32((first[j] if one else _ZERO) + (second[j] if other else _ZERO))
        shares = np.float32((share if one else _ZERO) + (other_share if other else _ZERO))
        mixed[j] = taken / (_ONE if shares == _ZERO else shares)


@compiled
def _elected(
    votes: Any, count: int, weight: Any, mean: bool, total: Any, mixed: Any, shares: Any
) -> None:
    """The sum (or mean) of the votes that have the sign of the total, into ``mixed``."""
    for m in range(weight.size):
        vote, share = votes[m], weight[m]
        if m == 0:
            for j in range(count):
                toward = vote[j] if total[j] >= _ZERO else -vote[j]
                mixed[j] = vote[j] if toward > _ZERO else _ZERO
                shares[j] = share if toward > _ZERO else _ZERO
        else:
            for j in range(count):
                toward = vote[j] if total[j] >= _ZERO else -vote[j]
                mixed[j] += vote[j] if toward > _ZERO else _ZERO
                shares[j] += share if toward > _ZERO else _ZERO
    if mean:
        for j in range(count):
            mixed[j] /= _ONE if shares[j] == _ZERO else shares[j]


@compiled
def _store(base: Any, shift: Any, moves: Any, lambda_: Any, out: Any, out_shift: Any) -> bool:
    """``base + lambda * moves``, rounded; whether it is finite."""
    half, one = rounding(out_shift)
    largest = _NONE
    for j in range(out.size):
        move = np.float32(moves[j] * lambda_)
        word = bits_of(np.float32(number(base[j], shift) + move))
        largest = larger(largest, np.uint32(word & MAGNITUDE))
        out[j] = rounded(word, out_shift, half, one)
    return within(largest, out_shift)


@compiled
def magnitude_sums(
    stored: Any, shift: Any, ends: Any, bands: Any, dropped: Any, sums: Any, work: Any, marks: Any,
    lanes: Any,
) -> None:  # fmt: skip
    """Add ``sum|d_i|`` and ``sum|thin_i(d_i)|`` of one grain to ``sums``, float64 (2, models).

    ``lanes`` is float64 (2, lanes), zeros before and after; the others are those of
    ``task_vectors``, ``work`` of two rows.
    """
    for m in range(sums.shape[1]):
        for start in range(0, stored.shape[1], TILE):
            stop = min(start + TILE, stored.shape[1])
            count = stop - start
            model, base = stored[m + 1, start:stop], stored[0, start:stop]
            if dropped.shape[0]:
                unpack(dropped[m, start // 8 :], count, marks)
                _add_unmarked(model, base, shift, marks.view(np.uint8), lanes)
            else:
                whole, sparse = work[0, :count], work[1, :count]
                _inside(model, base, shift, start, ends, bands[:, m], whole, sparse)
                add_magnitudes(whole, lanes[0])
                add_magnitudes(sparse, lanes[1])
        sums[0, m] += total(lanes[0])
        sums[1, m] += total(lanes[1])


@compiled
def _add_unmarked(model: Any, base: Any, shift: Any, marks: Any, lanes: Any) -> None:
    """Add the magnitudes of a tile's deltas to lanes, and of those not marked to other lanes."""
    whole, sparse = lanes[0], lanes[1]
    if base.size == TILE:
        for k in range(LANES):
            every, unmarked = whole[k], sparse[k]
            for step in range(TILE // LANES):
                place = step * LANES + k
                delta = np.float64(abs(difference(model[place], base[place], shift)))
                every += delta
                unmarked += _NO_MAGNITUDE if marks[place] else delta
            whole[k], sparse[k] = every, unmarked
        return
    for place in range(base.size):
        delta = np.float64(abs(difference(model[place], base[place], shift)))
        whole[place % LANES] += delta
        sparse[place % LANES] += _NO_MAGNITUDE if marks[place] else delta


@compiled
def _inside(
    model: Any, base: Any, shift: Any, start: int, ends: Any, bands: Any, whole: Any, sparse: Any
) -> None:
    """The magnitudes of a tile's deltas, which begin at ``start``, and of those in their band."""
    first = 0
    for part in range(ends.size):
        stop = min(ends[part] - start, whole.size)
        if stop > first:
            piece = slice(first, stop)
            band = bands[part]
            _in_band(model[piece], base[piece], shift, band, whole[piece], sparse[piece])
            first = stop


@compiled
def _in_band(model: Any, base: Any, shift: Any, band: Any, whole: Any, sparse: Any) -> None:
    lowest, width = band[0], band[1]
    for j in range(whole.size):
        delta = np.float32(abs(difference(model[j], base[j], shift)))
        kept = delta if np.uint32(bits_of(delta) - lowest) <= width else _ZERO
        whole[j] = delta
        sparse[j] = kept
