"""Sums in float64 in NumPy's own order of addition, so that they equal its to the last bit.

NumPy adds n numbers in halves (the left one a multiple of 8 long) down to blocks of at most 128,
and those in eight lanes. ``test_kernels`` compares; should NumPy change, the test will say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.tiles import load

LEAF = 128
CAST_BUFFER = 8192
"""NumPy sums float32 as float64 through a buffer of so many elements, one buffer after another."""
_DEPTH = 64
_LEAVES = 32
"""Leaves whose lanes are summed side by side."""


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
def _even_leaf(n: int) -> int:
    """The length of NumPy's blocks of n numbers where all are equal and whole lanes, else 0."""
    length = n
    while length > LEAF:
        if length % 2:
            return 0
        length //= 2
    return length if length % 8 == 0 else 0


@compiled
def _halve(sums: Any, n: int) -> Any:
    """Add n (a power of two) neighbours until one is left, in place."""
    while n > 1:
        n //= 2
        for i in range(n):
            sums[i] = sums[2 * i] + sums[2 * i + 1]
    return sums[0]


@compiled
def turn(values: Any, length: int, turned: Any) -> None:
    """Order float32 values of whole leaves so that each step of eight lanes is one long loop.

    From (leaf, step, lane) to (step, leaf, lane); four 64-bit words are a leaf's eight lanes.
    """
    source, target = values.view(np.uint64), turned.view(np.uint64)
    steps = length // 8
    leaves = values.size // length
    for leaf in range(leaves):
        for step in range(steps):
            a, b = 4 * (leaf * steps + step), 4 * (step * leaves + leaf)
            target[b] = source[a]
            target[b + 1] = source[a + 1]
            target[b + 2] = source[a + 2]
            target[b + 3] = source[a + 3]


@compiled
def _add_up_lanes(lanes: Any, leaves: int, sums: Any) -> Any:
    """The sum of some leaves (a power of two), from their lanes."""
    for leaf in range(leaves):
        r = lanes[8 * leaf : 8 * leaf + 8]
        sums[leaf] = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
    return _halve(sums, leaves)


@compiled
def turned_sum(turned: Any, length: int, lanes: Any, sums: Any) -> Any:
    """The float64 sum of turned values whose leaves are a power of two."""
    width = 8 * (turned.size // length)
    for k in range(width):
        lanes[k] = turned[k]
    for start in range(width, turned.size, width):
        step = turned[start : start + width]
        for k in range(width):
            lanes[k] += step[k]
    return _add_up_lanes(lanes, width // 8, sums)


@compiled
def _turned_dot(left: Any, right: Any, length: int, lanes: Any, sums: Any) -> Any:
    """The dot product of turned values, as ``turned_sum``."""
    width = 8 * (left.size // length)
    for k in range(width):
        lanes[k] = np.float64(left[k]) * np.float64(right[k])
    for start in range(width, left.size, width):
        a, b = left[start : start + width], right[start : start + width]
        for k in range(width):
            lanes[k] += np.float64(a[k]) * np.float64(b[k])
    return _add_up_lanes(lanes, width // 8, sums)


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
    length = _even_leaf(elements)
    if length == 0:
        _gram_by_leaf(stored, first, elements, shift, deltas, out)
        return
    rows, leaves = out.shape[0], elements // length
    together = min(leaves, _LEAVES)
    tile, tiles = together * length, leaves // together
    bits, base_bits = np.empty(tile, np.uint32), np.zeros(tile, np.uint32)
    turned = np.empty((rows, tile), np.float32)
    lanes, sums = np.empty(8 * together, np.float64), np.empty(together, np.float64)
    nodes = np.empty((rows, rows, tiles), np.float64)
    for number in range(tiles):
        start = first + number * tile
        stop = start + tile
        if deltas:
            load(stored[0, start:stop], shift, base_bits)
        for i in range(rows):
            load(stored[i + deltas, start:stop], shift, bits)
            _minus(bits.view(np.float32), base_bits.view(np.float32), deltas)
            turn(bits.view(np.float32), length, turned[i])
            for j in range(i + 1):
                nodes[i, j, number] = _turned_dot(turned[i], turned[j], length, lanes, sums)
    for i in range(rows):
        for j in range(i + 1):
            total = _halve(nodes[i, j], tiles)
            out[i, j] += total
            if i != j:
                out[j, i] += total


@compiled
def _minus(values: Any, base: Any, deltas: bool) -> None:
    if deltas:
        for j in range(values.size):
            values[j] -= base[j]


@compiled
def _gram_by_leaf(
    stored: Any, first: int, elements: int, shift: Any, deltas: bool, out: Any
) -> None:
    """``gram`` of any number of elements."""
    rows = out.shape[0]
    bits = np.empty((stored.shape[0], LEAF), np.uint32)
    values = np.empty((rows, LEAF), np.float64)
    products = np.empty(LEAF, np.float64)
    sums, depths = np.empty((_DEPTH, rows, rows)), np.empty(_DEPTH, np.int64)
    held = 0
    for start, length, depth in _leaves(elements):
        _decode(stored, shift, deltas, first + start, length, bits, values)
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
