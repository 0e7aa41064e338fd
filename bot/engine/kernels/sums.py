"""Sums in float64 by lanes, in the order of ``bot.methods.reductions.lanes`` to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.tiles import TILE, load
from bot.methods.reductions.lanes import LANES


@compiled
def add_magnitudes(values: Any, lanes: Any) -> None:
    """Add ``|v|`` (float32) to the lanes; tile after tile, all but the last of whole lanes."""
    for start in range(0, values.size, LANES):
        step = values[start : start + LANES]
        for k in range(step.size):
            lanes[k] += np.float64(abs(step[k]))


@compiled
def add_products(left: Any, right: Any, lanes: Any) -> None:
    """Add ``left * right`` (float32, multiplied in float64), likewise."""
    for start in range(0, left.size, LANES):
        a, b = left[start : start + LANES], right[start : start + LANES]
        for k in range(a.size):
            lanes[k] += np.float64(a[k]) * np.float64(b[k])


@compiled
def total(lanes: Any) -> Any:
    """The sum of the lanes, which are used up."""
    half = lanes.size // 2
    while half:
        for k in range(half):
            lanes[k] += lanes[k + half]
        half //= 2
    return lanes[0]


@compiled
def gram(stored: Any, first: int, elements: int, shift: Any, deltas: bool, out: Any) -> None:
    """Dot products of rows, in float64, added to ``out``.

    Args:
        stored: uint16 or uint32 (inputs, columns).
        first: the first of the columns that count.
        elements: how many columns count.
        shift: 16 for uint16, 0 for uint32.
        deltas: whether the first row is a base to be subtracted from the others.
        out: float64 (rows, rows), rows without the base.
    """
    rows = out.shape[0]
    bits, base_bits = np.empty((rows, TILE), np.uint32), np.empty(TILE, np.uint32)
    values, base = bits.view(np.float32), base_bits.view(np.float32)
    lanes = np.zeros((rows, rows, LANES))
    for start in range(first, first + elements, TILE):
        stop = min(start + TILE, first + elements)
        count = stop - start
        if deltas:
            load(stored[0, start:stop], shift, base_bits)
        for i in range(rows):
            load(stored[i + deltas, start:stop], shift, bits[i])
            if deltas:
                subtract(values[i, :count], base)
            for j in range(i + 1):
                add_products(values[i, :count], values[j, :count], lanes[i, j])
    for i in range(rows):
        for j in range(i + 1):
            product = total(lanes[i, j])
            out[i, j] += product
            if i != j:
                out[j, i] += product


@compiled
def subtract(values: Any, base: Any) -> None:
    """Task vectors in place of models."""
    for j in range(values.size):
        values[j] -= base[j]
