"""Row divergences as ``bot.methods.divergence`` defines them, and what they make important."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.magnitudes import settle_high, settle_low, tally, tally_inside
from bot.engine.kernels.tiles import TILE, load, store
from bot.methods import divergence as plain

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_LEAST, _PER_DOUBLING, _ROUND, _FLOOR = plain.LEAST, plain.PER_DOUBLING, plain.ROUND, plain.FLOOR
_DOUBLING, _HIGH, _LOW = plain.DOUBLING, plain.DOUBLING_HIGH, plain.DOUBLING_LOW
_POWERS, _ODD = plain.POWERS, plain.ODD
_MANTISSA, _BIAS, _INTEGER, _UNBIAS = plain.MANTISSA, plain.BIAS, plain.INTEGER, plain.UNBIAS
_LANES = plain.LANES
_CENTRE = np.uint64(1024)


@compiled
def _powers(rest: Any) -> Any:
    series = _POWERS[9] * rest + _POWERS[8]
    series = series * rest + _POWERS[7]
    series = series * rest + _POWERS[6]
    series = series * rest + _POWERS[5]
    series = series * rest + _POWERS[4]
    series = series * rest + _POWERS[3]
    series = series * rest + _POWERS[2]
    series = series * rest + _POWERS[1]
    return series * rest + _POWERS[0]


@compiled
def _odd_powers(square: Any) -> Any:
    series = _ODD[7] * square + _ODD[6]
    series = series * square + _ODD[5]
    series = series * square + _ODD[4]
    series = series * square + _ODD[3]
    series = series * square + _ODD[2]
    series = series * square + _ODD[1]
    return series * square + _ODD[0]


@compiled
def _powers_of(row: Any, shifted: Any, out: Any) -> Any:
    """e to the power of a float32 row less its largest, and what makes probabilities of them."""
    top = np.float64(_largest(row))
    for start in range(0, row.size, TILE):
        _exponentials(row[start : start + TILE], top, shifted, out[start : start + TILE])
    return 1.0 / _sum(out)


@compiled
def _largest(values: Any) -> Any:
    """Of a row of finite float32, by lanes."""
    lanes = np.full(_LANES, values[0])
    whole = values.size - values.size % _LANES
    for start in range(0, whole, _LANES):
        step = values[start : start + _LANES]
        for k in range(_LANES):
            lanes[k] = max(lanes[k], step[k])
    largest = lanes[0]
    for lane in lanes:
        largest = max(largest, lane)
    for value in values[whole:]:
        largest = max(largest, value)
    return largest


@compiled
def _sum(values: Any) -> Any:
    """Of a row, by lanes."""
    lanes = np.zeros(_LANES)
    whole = values.size - values.size % _LANES
    for start in range(0, whole, _LANES):
        step = values[start : start + _LANES]
        for k in range(_LANES):
            lanes[k] += step[k]
    rest = values[whole:]
    for k in range(rest.size):
        lanes[k] += rest[k]
    half = _LANES // 2
    while half:
        for k in range(half):
            lanes[k] += lanes[half + k]
        half //= 2
    return lanes[0]


@compiled
def _exponentials(values: Any, top: Any, shifted: Any, out: Any) -> None:
    for j in range(values.size):
        x = np.float64(values[j]) - top
        x = max(_LEAST, x)
        moved = x * _PER_DOUBLING + _ROUND
        doublings = moved - _ROUND
        rest = (x - doublings * _HIGH) - doublings * _LOW
        shifted[j] = moved
        out[j] = _powers(rest)
    bits, raise_by = out.view(np.uint64), shifted.view(np.uint64)
    for j in range(values.size):
        bits[j] += raise_by[j] << _MANTISSA


@compiled
def _weigh_log_ratio(p: Any, q: Any, shares: Any, near: Any, doublings: Any) -> None:
    """Make a tile's powers probabilities and add the floor; replace p by ``p * log(p / q)``."""
    p_share, q_share = shares
    for j in range(p.size):
        p[j] = p[j] * p_share + _FLOOR
        q[j] = q[j] * q_share + _FLOOR
    p_bits, q_bits = p.view(np.uint64), q.view(np.uint64)
    near_bits, doubling_bits = near.view(np.uint64), doublings.view(np.uint64)
    for j in range(p.size):
        biased = (p_bits[j] - q_bits[j] + _BIAS) >> _MANTISSA
        doubling_bits[j] = biased | _INTEGER
        near_bits[j] = q_bits[j] + ((biased - _CENTRE) << _MANTISSA)
    for j in range(p.size):
        slope = (p[j] - near[j]) / (p[j] + near[j])
        series = _odd_powers(slope * slope)
        p[j] *= (doublings[j] - _UNBIAS) * _DOUBLING + (slope + slope) * series


@compiled
def _divergence(model: Any, base: Any, p: Any, q: Any, work: Any) -> Any:
    """Of one row; ``p`` and ``q`` are float64 (width,), ``work`` is float64 (2, tile)."""
    shares = _powers_of(model, work[0], p), _powers_of(base, work[0], q)
    for start in range(0, p.size, TILE):
        tile = slice(start, start + TILE)
        _weigh_log_ratio(p[tile], q[tile], shares, work[0], work[1])
    found = _sum(p)
    return np.float32(max(0.0, found))


@compiled
def importance_high(
    base: Any, model: Any, shift: Any, width: int, rows: Any, counts: Any, singles: Any
) -> int:
    """``count_high`` of the importances, whose row divergences are found first.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row.
        rows: float32 (rows,), set to the divergences.
        counts: as in ``count_high``.
        singles: likewise.
    """
    bits, bins = np.empty((2, width), np.uint32), np.empty(TILE, np.uint32)
    values, origin = bits[0].view(np.float32), bits[1].view(np.float32)
    p, q, work = np.empty(width), np.empty(width), np.empty((2, TILE))
    tables = np.zeros((2, counts.size), np.uint32)
    largest = np.uint32(0)
    for row in range(rows.size):
        columns = slice(row * width, (row + 1) * width)
        load(model[columns], shift, bits[0])
        load(base[columns], shift, bits[1])
        rows[row] = _divergence(values, origin, p, q, work)
        for start in range(0, width, TILE):
            tile = bits[0, start : start + TILE]
            _importance(tile, bits[1, start : start + TILE], rows[row])
            largest = max(largest, tally(tile, tile.size, bins, tables))
    return settle_high(tables, largest, counts, singles)


@compiled
def _importance(model: Any, base: Any, factor: Any) -> None:
    """Replace the bits of a tile of the model by those of its importances."""
    values, origin = model.view(np.float32), base.view(np.float32)
    for j in range(values.size):
        values[j] = abs(values[j] - origin[j]) * factor
    for j in range(model.size):
        model[j] &= _MAGNITUDE


@compiled
def importance_low(
    base: Any, model: Any, shift: Any, width: int, rows: Any, places: Any, counts: Any
) -> None:
    """``count_low`` of the importances, for several bins: uint32 (targets,), int64 (targets, ...).

    ``rows`` are the divergences of the rows at hand; the others are those of ``importance_high``.
    """
    bits, bins = np.empty((2, TILE), np.uint32), np.empty(TILE, np.uint32)
    tables, singles = np.zeros(counts.shape, np.uint32), np.empty((2, counts.shape[1]), np.uint32)
    for row in range(rows.size):
        for start in range(row * width, (row + 1) * width, TILE):
            stop = min(start + TILE, (row + 1) * width)
            load(model[start:stop], shift, bits[0])
            load(base[start:stop], shift, bits[1])
            tile = bits[0, : stop - start]
            _importance(tile, bits[1, : stop - start], rows[row])
            tally_inside(tile, stop - start, bins, places, tables)
    for target in range(places.size):
        settle_low(tables[target], counts[target], singles)


@compiled
def take_over(
    base: Any, model: Any, shift: Any, width: int, rows: Any, edge: Any, out: Any, out_shift: Any
) -> bool:
    """The model where its importance reaches ``edge``, else the base; whether all is finite.

    ``edge`` is float32, ``out`` uint16 or uint32 (elements,) and ``out_shift`` as ``shift``.
    """
    bits, merged = np.empty((2, TILE), np.uint32), np.empty(TILE, np.uint32)
    above, below, weight = bits[0], bits[1], np.empty(TILE, np.uint32)
    finite = True
    for row in range(rows.size):
        for start in range(row * width, (row + 1) * width, TILE):
            stop = min(start + TILE, (row + 1) * width)
            finite &= load(model[start:stop], shift, above)
            finite &= load(base[start:stop], shift, below)
            load(model[start:stop], shift, weight)
            _importance(weight[: stop - start], below[: stop - start], rows[row])
            _choose(weight.view(np.float32)[: stop - start], edge, above, below, merged)
            finite &= store(merged, out_shift, out[start:stop])
    return finite


@compiled
def _choose(weight: Any, edge: Any, above: Any, below: Any, out: Any) -> None:
    for j in range(weight.size):
        out[j] = above[j] if weight[j] >= edge else below[j]
