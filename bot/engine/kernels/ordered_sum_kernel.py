"""Sums in float64 in the order of ``bot.methods.reductions.ordered_sum``, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import TILE, widen
from bot.engine.kernels.kernel import compiled, multiplying
from bot.engine.kernels.task_vector_tile import subtract
from bot.methods.reductions.ordered_sum import LANES

_STEPS = TILE // LANES
"""Values of a tile that are added to a lane before the lane is written."""


@compiled
def add_magnitudes(values: Any, lanes: Any) -> None:
    """Add ``|v|`` (float32) to the lanes; tile after tile, all but the last of whole lanes."""
    if values.size == TILE:
        for k in range(LANES):
            lane = lanes[k]
            for step in range(_STEPS):
                lane += np.float64(abs(values[step * LANES + k]))
            lanes[k] = lane
        return
    for start in range(0, values.size, LANES):
        step = values[start : start + LANES]
        for k in range(step.size):
            lanes[k] += np.float64(abs(step[k]))


@multiplying
def add_products(left: Any, right: Any, lanes: Any) -> None:
    """Add ``left * right`` (float32, multiplied in float64), likewise."""
    if left.size == TILE:
        for k in range(LANES):
            lane = lanes[k]
            for step in range(_STEPS):
                place = step * LANES + k
                lane += np.float64(left[place]) * np.float64(right[place])
            lanes[k] = lane
        return
    for start in range(0, left.size, LANES):
        a, b = left[start : start + LANES], right[start : start + LANES]
        for k in range(a.size):
            lanes[k] += np.float64(a[k]) * np.float64(b[k])


@multiplying
def add_squares(values: Any, lanes: Any) -> None:
    """Add ``v * v``, likewise; every value is read once."""
    if values.size == TILE:
        for k in range(LANES):
            lane = lanes[k]
            for step in range(_STEPS):
                value = np.float64(values[step * LANES + k])
                lane += value * value
            lanes[k] = lane
        return
    add_products(values, values, lanes)


@multiplying
def add_both(values: Any, other: Any, products: Any, squares: Any) -> None:
    """Add ``v * other`` to one row of lanes and ``v * v`` to another, in a single pass."""
    if values.size == TILE:
        for k in range(LANES):
            product, square = products[k], squares[k]
            for step in range(_STEPS):
                place = step * LANES + k
                value = np.float64(values[place])
                product += value * np.float64(other[place])
                square += value * value
            products[k], squares[k] = product, square
        return
    add_products(values, other, products)
    add_squares(values, squares)


@compiled
def total(lanes: Any) -> Any:
    """The sum of the lanes, which are zero again afterwards."""
    half = lanes.size // 2
    while half:
        for k in range(half):
            lanes[k] += lanes[k + half]
        half //= 2
    found = lanes[0]
    for k in range(lanes.size):
        lanes[k] = 0
    return found


@compiled
def gram(stored: Any, shift: Any, deltas: bool, out: Any, work: Any, lanes: Any) -> None:
    """Dot products of rows, in float64, added to ``out``.

    Args:
        stored: uint16 or uint32 (inputs, elements).
        shift: 16 for uint16, 0 for uint32.
        deltas: whether the first row is a base to be subtracted from the others.
        out: float64 (rows, rows), rows without the base.
        work: float32 (rows, tile).
        lanes: float64 (rows, rows, lanes), zeros before and after.
    """
    rows = out.shape[0]
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        for i in range(rows):
            values = work[i, : stop - start]
            if deltas:
                subtract(stored[i + 1, start:stop], stored[0, start:stop], shift, values)
            else:
                widen(stored[i, start:stop], shift, values)
            for j in range(i - 1):
                add_products(values, work[j, : stop - start], lanes[i, j])
            if i:
                add_both(values, work[i - 1, : stop - start], lanes[i, i - 1], lanes[i, i])
            else:
                add_squares(values, lanes[i, i])
    for i in range(rows):
        for j in range(i + 1):
            product = total(lanes[i, j])
            out[i, j] += product
            if i != j:
                out[j, i] += product
