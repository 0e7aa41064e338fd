"""Random drops by rank of magnitude within a row (DELLA), without a comparison sort."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.tiles import load

_RANKED_ONE_BY_ONE = 128
"""Up to so many unsure elements it is cheaper to count what is smaller than to sort the row."""


@compiled
def rank_drops(
    base: Any, model: Any, shift: Any, width: int, table: Any, words: Any, dropped: Any
) -> None:
    """Mark the elements of ``|model - base|`` that are dropped.

    A bucket of similar magnitudes tells an element's rank to within the bucket's size, and as the
    thresholds change little with rank, that nearly always decides. The few others are ranked.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row.
        table: uint64 (width,), rising or falling: an element of that rank is kept when its word is
            below.
        words: uint32 (elements,).
        dropped: uint8 (elements,), set to 1 or 0.
    """
    bits = np.empty((2, width), np.uint32)
    left, magnitude = bits[0].view(np.float32), bits[1].view(np.float32)
    order, spare = np.empty(width, np.int64), np.empty(width, np.int64)
    places, buckets = np.empty(width + 1, np.int64), np.empty(width, np.int32)
    for first in range(0, base.size, width):
        row = slice(first, first + width)
        load(base[row], shift, bits[0])
        load(model[row], shift, bits[1])
        for j in range(width):
            magnitude[j] = abs(magnitude[j] - left[j])
        _by_bucket(magnitude, buckets, places)
        unsure = _by_bounds(buckets, places, table, words[row], dropped[row], order)
        if unsure > _RANKED_ONE_BY_ONE:
            _by_digit(bits[1], order, spare)
            for rank in range(width):
                place = first + order[rank]
                dropped[place] = words[place] >= table[rank]
        else:
            for j in order[:unsure]:
                dropped[first + j] = words[first + j] >= table[_rank(magnitude, j)]


@compiled
def _by_bucket(magnitude: Any, buckets: Any, places: Any) -> None:
    """As many buckets of equal width as there are elements, and where in rank each begins."""
    width = magnitude.size
    largest = np.float32(0)
    for j in range(width):
        largest = max(largest, magnitude[j])
    steps = np.float32(width) / largest if largest > 0 else np.float32(0)
    for j in range(width):
        bucket = np.int32(magnitude[j] * steps)
        buckets[j] = max(min(bucket, np.int32(width - 1)), np.int32(0))
    for place in range(width + 1):
        places[place] = 0
    for j in range(width):
        places[np.uint32(buckets[j])] += 1
    before = 0
    for place in range(width + 1):
        held = places[place]
        places[place] = before
        before += held


@compiled
def _by_bounds(buckets: Any, places: Any, table: Any, words: Any, dropped: Any, unsure: Any) -> int:
    """Decide by the lowest and highest rank in each bucket; how many are listed as unsure."""
    found = 0
    for j in range(buckets.size):
        bucket = np.uint32(buckets[j])
        lowest = words[j] >= table[np.uint64(places[bucket])]
        highest = words[j] >= table[np.uint64(places[bucket + np.uint32(1)] - 1)]
        dropped[j] = highest
        unsure[found] = j
        found += lowest != highest
    return found


@compiled
def _rank(magnitude: Any, j: int) -> int:
    """How many magnitudes stand before that of j."""
    size, rank = magnitude[j], 0
    for k in range(magnitude.size):
        rank += magnitude[k] < size
    for k in range(j):
        rank += magnitude[k] == size
    return rank


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
