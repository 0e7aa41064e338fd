"""Sums in float64 in NumPy's own order of addition, so that they equal its to the last bit.

NumPy adds n numbers in halves (the left one a multiple of 8 long) down to blocks of at most 128,
and those in eight lanes. ``test_kernels`` compares; should NumPy change, the test will say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

LEAF = 128
CAST_BUFFER = 8192
"""NumPy sums float32 as float64 through a buffer of so many elements, one buffer after another."""
_DEPTH = 64


@compiled
def _leaf(values: Any, n: int) -> Any:
    """Eight lanes, then the rest."""
    if n < 8:
        total = 0.0
        for i in range(n):
            total += values[i]
        return total
    r0, r1, r2, r3 = values[0], values[1], values[2], values[3]
    r4, r5, r6, r7 = values[4], values[5], values[6], values[7]
    whole = n - n % 8
    for i in range(8, whole, 8):
        r0 += values[i]
        r1 += values[i + 1]
        r2 += values[i + 2]
        r3 += values[i + 3]
        r4 += values[i + 4]
        r5 += values[i + 5]
        r6 += values[i + 6]
        r7 += values[i + 7]
    total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for i in range(whole, n):
        total += values[i]
    return total


@compiled
def _leaves(n: int) -> Any:
    """Start, length and depth of NumPy's blocks of n numbers, first to last: int64 (blocks, 3)."""
    leaves = np.empty((n // (LEAF // 4) + 1, 3), np.int64)
    waiting = np.empty((_DEPTH, 3), np.int64)
    waiting[0] = (0, n, 0)
    held, found = 1, 0
    while held:
        held -= 1
        start, length, depth = waiting[held]
        if length <= LEAF:
            leaves[found] = (start, length, depth)
            found += 1
            continue
        left = length // 2
        left -= left % 8
        waiting[held] = (start + left, length - left, depth + 1)
        waiting[held + 1] = (start, left, depth + 1)
        held += 2
    return leaves[:found]


@compiled
def pairwise(values: Any, n: int) -> Any:
    """The sum of the first n values (float64)."""
    sums, depths = np.empty(_DEPTH), np.empty(_DEPTH, np.int64)
    held = 0
    for start, length, depth in _leaves(n):
        sums[held], depths[held] = _leaf(values[start:], length), depth
        held += 1
        while held > 1 and depths[held - 1] == depths[held - 2]:
            held -= 1
            sums[held - 1] += sums[held]
            depths[held - 1] -= 1
    return sums[0]


@compiled
def gram(stored: Any, shift: Any, deltas: bool, out: Any) -> None:
    """Dot products of rows, in float64, added to ``out``.

    Args:
        stored: uint16 or uint32 (inputs, elements).
        shift: 16 for uint16, 0 for uint32.
        deltas: whether the first row is a base to be subtracted from the others.
        out: float64 (rows, rows), rows without the base.
    """
    rows = out.shape[0]
    bits = np.empty((stored.shape[0], LEAF), np.uint32)
    values = np.empty((rows, LEAF), np.float64)
    products = np.empty(LEAF, np.float64)
    sums, depths = np.empty((_DEPTH, rows, rows)), np.empty(_DEPTH, np.int64)
    held = 0
    for start, length, depth in _leaves(stored.shape[1]):
        _decode(stored, shift, deltas, start, length, bits, values)
        _products(values, length, products, sums[held])
        depths[held] = depth
        held += 1
        while held > 1 and depths[held - 1] == depths[held - 2]:
            held -= 1
            sums[held - 1] += sums[held]
            depths[held - 1] -= 1
    out += sums[0]


@compiled
def _products(values: Any, n: int, products: Any, sums: Any) -> None:
    for i in range(values.shape[0]):
        for j in range(i + 1):
            for k in range(n):
                products[k] = values[i, k] * values[j, k]
            sums[i, j] = _leaf(products, n)
            sums[j, i] = sums[i, j]


@compiled
def _decode(
    stored: Any, shift: Any, deltas: bool, start: int, n: int, bits: Any, values: Any
) -> None:
    floats = bits.view(np.float32)
    for i in range(stored.shape[0]):
        for k in range(n):
            bits[i, k] = np.uint32(stored[i, start + k]) << shift
    if not deltas:
        for i in range(values.shape[0]):
            for k in range(n):
                values[i, k] = floats[i, k]
        return
    for i in range(values.shape[0]):
        for k in range(n):
            difference = floats[i + 1, k] - floats[0, k]
            values[i, k] = difference
