"""Random drops by rank of magnitude within a row (DELLA), without a comparison sort."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

_MOVES_PER_ELEMENT = 16


@compiled
def rank_drops(
    base: Any, model: Any, shift: Any, width: int, table: Any, words: Any, dropped: Any
) -> None:
    """Mark the elements of ``|model - base|`` that are dropped.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row.
        table: uint64 (width,): an element of that rank is kept when its word is below.
        words: uint32 (elements,).
        dropped: uint8 (elements,), set to 1 or 0.
    """
    bits = np.empty((2, width), np.uint32)
    floats = bits.view(np.float32)
    magnitude = floats[1]
    order, spare = np.empty(width, np.int64), np.empty(width, np.int64)
    places = np.empty(width + 1, np.int64)
    for first in range(0, base.size, width):
        for j in range(width):
            bits[0, j] = np.uint32(base[first + j]) << shift
            bits[1, j] = np.uint32(model[first + j]) << shift
        for j in range(width):
            magnitude[j] = abs(floats[1, j] - floats[0, j])
        _by_bucket(magnitude, places, order)
        if not _settled(magnitude, order):
            _by_digit(bits[1], order, spare)
        for rank in range(width):
            place = first + order[rank]
            dropped[place] = words[place] >= table[rank]


@compiled
def _by_bucket(magnitude: Any, places: Any, order: Any) -> None:
    """Order by as many buckets of equal width as there are elements, stably."""
    width = magnitude.size
    largest = np.float32(0)
    for j in range(width):
        largest = max(largest, magnitude[j])
    steps = (width - 1) / np.float64(largest) if largest > 0 else 0.0
    places[:] = 0
    for j in range(width):
        places[int(magnitude[j] * steps) + 1] += 1
    for bucket in range(width):
        places[bucket + 1] += places[bucket]
    for j in range(width):
        bucket = int(magnitude[j] * steps)
        order[places[bucket]] = j
        places[bucket] += 1


@compiled
def _settled(magnitude: Any, order: Any) -> bool:
    """Insertion sort of what is nearly in order; False when it is not and was given up."""
    moves = 0
    for i in range(1, order.size):
        element = order[i]
        size = magnitude[element]
        place = i
        while place > 0 and magnitude[order[place - 1]] > size:
            order[place] = order[place - 1]
            place -= 1
        order[place] = element
        moves += i - place
        if moves > _MOVES_PER_ELEMENT * order.size:
            return False
    return True


@compiled
def _by_digit(keys: Any, order: Any, spare: Any) -> None:
    """Order by integer keys, byte after byte from the lowest, stably."""
    counts = np.empty(257, np.int64)
    for j in range(order.size):
        order[j] = j
    for digit in range(4):
        down = np.uint32(8 * digit)
        counts[:] = 0
        for j in range(order.size):
            counts[((keys[j] >> down) & np.uint32(255)) + np.uint32(1)] += 1
        for bin_ in range(256):
            counts[bin_ + 1] += counts[bin_]
        for j in range(order.size):
            bin_ = (keys[order[j]] >> down) & np.uint32(255)
            spare[counts[bin_]] = order[j]
            counts[bin_] += 1
        order[:] = spare
