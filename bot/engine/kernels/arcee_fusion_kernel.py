"""Arcee Fusion: row divergences, and the importance of every element, over stored bits.

``bot.methods.operators.row_divergence`` is the definition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import (
    INFINITY,
    TILE,
    difference,
    larger,
    magnitude_bits,
    number,
    store,
    widen,
)
from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.magnitude_histogram_kernel import count, high_bin, settle, tally_inside
from bot.methods.operators import row_divergence as plain

_LEAST, _PER_DOUBLING, _ROUND, _FLOOR = plain.LEAST, plain.PER_DOUBLING, plain.ROUND, plain.FLOOR
_DOUBLING, _HIGH, _LOW = plain.DOUBLING, plain.DOUBLING_HIGH, plain.DOUBLING_LOW
_POWERS, _ODD = plain.POWERS, plain.ODD
_MANTISSA, _BIAS, _INTEGER, _UNBIAS = plain.MANTISSA, plain.BIAS, plain.INTEGER, plain.UNBIAS
_LANES = plain.LANES
_CENTRE = np.uint64(1024)
_NONE = np.uint32(0)


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
def _powers_of(row: Any, shifted: Any, lanes: Any, out: Any) -> Any:
    """e to the power of a float32 row less its largest, and what makes probabilities of them."""
    top = _largest(row, lanes)
    for start in range(0, row.size, TILE):
        _exponentials(row[start : start + TILE], top, shifted, out[start : start + TILE])
    return 1.0 / _sum(out, lanes)


@compiled
def _largest(values: Any, lanes: Any) -> Any:
    """Of a row of finite float32, by lanes; float64."""
    for k in range(_LANES):
        lanes[k] = values[0]
    whole = values.size - values.size % _LANES
    for start in range(0, whole, _LANES):
        step = values[start : start + _LANES]
        for k in range(_LANES):
            lanes[k] = max(lanes[k], np.float64(step[k]))
    largest = lanes[0]
    for k in range(_LANES):
        largest = max(largest, lanes[k])
    rest = values[whole:]
    for k in range(rest.size):
        largest = max(largest, np.float64(rest[k]))
    return largest


@compiled
def _sum(values: Any, lanes: Any) -> Any:
    """Of a row, by lanes."""
    for k in range(_LANES):
        lanes[k] = 0.0
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
def _divergence(model: Any, base: Any, p: Any, q: Any, work: Any, lanes: Any) -> Any:
    """Of one row; ``p`` and ``q`` are float64 (width,), ``work`` is float64 (2, tile)."""
    shares = _powers_of(model, work[0], lanes, p), _powers_of(base, work[0], lanes, q)
    for start in range(0, p.size, TILE):
        tile = slice(start, start + TILE)
        _weigh_log_ratio(p[tile], q[tile], shares, work[0], work[1])
    found = _sum(p, lanes)
    return np.float32(max(0.0, found))


@compiled
def importance_high(
    base: Any, model: Any, shift: Any, width: int, rows: Any, found: Any, bits: Any, powers: Any,
    work: Any, lanes: Any, tables: Any,
) -> int:  # fmt: skip
    """``count_high`` of the importances, whose row divergences are found first.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row.
        rows: float32 (rows,), set to the divergences.
        found: as in ``count_high``.
        bits: uint32 (3, width), to work in, as are the following.
        powers: float64 (2, width).
        work: float64 (2, tile).
        lanes: float64 (lanes,).
        tables: as in ``count_high``.
    """
    values, origin = bits[0].view(np.float32), bits[1].view(np.float32)
    largest = _NONE
    for row in range(rows.size):
        columns = slice(row * width, (row + 1) * width)
        widen(model[columns], shift, values)
        widen(base[columns], shift, origin)
        rows[row] = _divergence(values, origin, powers[0], powers[1], work, lanes)
        for start in range(0, width, TILE):
            bins, factor = bits[2, start : start + TILE], rows[row]
            above, below = values[start : start + TILE], origin[start : start + TILE]
            for j in range(bins.size):
                weight = np.float32(abs(np.float32(above[j] - below[j])) * factor)
                bins[j] = high_bin(magnitude_bits(weight))
                largest = larger(largest, bins[j])
            count(bins, tables)
    return settle(tables, largest, found)


@compiled
def _importance(model: Any, base: Any, shift: Any, factor: Any) -> Any:
    """Of one element, float32."""
    apart = difference(model, base, shift)
    return np.float32(abs(apart) * factor)


@compiled
def importance_low(
    base: Any, model: Any, shift: Any, width: int, rows: Any, places: Any, bits: Any,
    tables: Any,
) -> None:  # fmt: skip
    """``tally_inside`` of the importances: into ``tables``, uint32 (targets, 65536).

    ``rows`` are the divergences of the rows at hand and ``bits`` is uint32 (1, tile) to work in;
    the others are those of ``importance_high``.
    """
    for row in range(rows.size):
        for start in range(row * width, (row + 1) * width, TILE):
            stop = min(start + TILE, (row + 1) * width)
            tile, above, below = bits[0, : stop - start], model[start:stop], base[start:stop]
            for j in range(tile.size):
                tile[j] = magnitude_bits(_importance(above[j], below[j], shift, rows[row]))
            tally_inside(tile, places, tables)


@compiled
def take_over(
    base: Any, model: Any, shift: Any, width: int, rows: Any, edge: Any, out: Any, out_shift: Any,
    work: Any,
) -> bool:  # fmt: skip
    """The model where its importance reaches ``edge``, else the base; whether all is finite.

    ``edge`` is float32, ``out`` uint16 or uint32 (elements,), ``out_shift`` as ``shift`` and
    ``work`` float32 (1, tile).
    """
    largest, finite = _NONE, True
    for row in range(rows.size):
        for start in range(row * width, (row + 1) * width, TILE):
            stop = min(start + TILE, (row + 1) * width)
            above, below, merged = model[start:stop], base[start:stop], work[0, : stop - start]
            for j in range(merged.size):
                new, old = number(above[j], shift), number(below[j], shift)
                largest = larger(largest, larger(magnitude_bits(new), magnitude_bits(old)))
                weight = _importance(above[j], below[j], shift, rows[row])
                merged[j] = new if weight >= edge else old
            finite &= store(merged, out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)
