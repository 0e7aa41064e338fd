"""Random drops by rank of magnitude within a row (DELLA), without a comparison sort.

A bucket of similar magnitudes tells an element's rank to within the bucket's size. As thresholds
change little with rank that nearly always decides; only the few others are ranked exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

_OCTAVES = 8
"""Magnitudes so many powers of two below a row's largest share the lowest bucket but one."""
_COUNTED_ONE_BY_ONE = 12
"""For up to so many unsure elements counting what is smaller costs less than ordering the row."""
_MANTISSA = 23
_HALF, _LOW = np.uint32(16), np.uint32(0xFFFF)
_EITHER_WAY = np.uint32(0x80007FFF)
"""Limits that leave nothing open."""
_NONE, _ONE = np.uint32(0), np.uint32(1)


@compiled
def rank_drops(
    base: Any, model: Any, shift: Any, width: int, table: Any, words: Any, dropped: Any
) -> None:
    """Mark the elements of ``|model - base|`` that are dropped.

    Where model and base are equal there is nothing to drop, and the mark means nothing.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row.
        table: uint32 (width,), never falling: an element of that rank is kept when its word is
            below.
        words: uint16 or uint32 (elements,).
        dropped: uint8 (elements,), set to 1 or 0.
    """
    bits, spare = np.empty(width, np.uint32), np.empty((3, width), np.uint32)
    fine = _fineness(width)
    counts = np.empty((2, (_OCTAVES << fine) + 2), np.uint32)
    limits, starts = np.empty(counts.shape[1], np.uint32), np.empty(counts.shape[1], np.uint32)
    flags = np.zeros(width + 8, np.uint8)
    down = np.uint32(8 * words.itemsize - 16)
    for first in range(0, base.size, width):
        row = slice(first, first + width)
        drawn, marks, buckets = words[row], dropped[row], spare[0]
        _magnitudes(base[row], model[row], shift, spare[1], bits)
        _by_bucket(bits, fine, buckets, counts)
        _limits(counts, table, down, limits, starts)
        _by_limits(buckets, limits, drawn, down, spare[1], marks, flags)
        unsure = spare[2, : _flagged(flags, spare[2])]
        if unsure.size <= _COUNTED_ONE_BY_ONE:
            for j in unsure:
                marks[j] = drawn[j] >= table[_before(bits, j, 0, width)]
        else:
            _by_rank(bits, buckets, starts, unsure, spare[1], table, drawn, marks)


@compiled
def _magnitudes(base: Any, model: Any, shift: Any, base_bits: Any, bits: Any) -> None:
    """The bits of ``|model - base|``, which are ordered as the magnitudes are."""
    for j in range(bits.size):
        base_bits[j] = np.uint32(np.uint32(base[j]) << shift)
    for j in range(bits.size):
        bits[j] = np.uint32(np.uint32(model[j]) << shift)
    magnitude, left = bits.view(np.float32), base_bits.view(np.float32)
    for j in range(bits.size):
        magnitude[j] = abs(magnitude[j] - left[j])


@compiled
def _fineness(width: int) -> int:
    """Leading bits of the mantissa that tell buckets apart: about four elements for each."""
    fine = 3
    while fine < _MANTISSA and _OCTAVES << fine < width // 4:
        fine += 1
    return fine


@compiled
def _by_bucket(bits: Any, fine: int, buckets: Any, counts: Any) -> None:
    """The bucket of each magnitude, zeros in the first, and how many each holds, in two parts."""
    largest = _NONE
    for j in range(bits.size):
        largest = max(largest, bits[j])
    down = np.uint32(_MANTISSA - fine)
    offset = np.int32(counts.shape[1] - 1 - np.int32(largest >> down))
    for j in range(bits.size):
        place = max(np.int32(np.int32(bits[j] >> down) + offset), np.int32(1))
        buckets[j] = np.uint32(place) if bits[j] else _NONE
    even, odd = counts[0], counts[1]
    for bucket in range(even.size):
        even[bucket] = _NONE
        odd[bucket] = _NONE
    # two tables in turn: neighbours are often equal, and would wait for each other
    for j in range(0, buckets.size - 1, 2):
        even[buckets[j]] += _ONE
        odd[buckets[j + 1]] += _ONE
    if buckets.size % 2:
        even[buckets[buckets.size - 1]] += _ONE


@compiled
def _limits(counts: Any, table: Any, down: Any, limits: Any, starts: Any) -> None:
    """Per bucket its first rank, and the upper 16 bits of its lowest and highest threshold."""
    even, odd = counts[0], counts[1]
    rank = _NONE
    for bucket in range(even.size):
        held = np.uint32(even[bucket] + odd[bucket])
        starts[bucket] = rank
        if held:
            low = table[rank]
            rank = np.uint32(rank + held)
            high = table[np.uint32(rank - _ONE)]
            limits[bucket] = np.uint32((low >> down) << _HALF) | np.uint32(high >> down)
    limits[0] = _EITHER_WAY


@compiled
def _by_limits(
    buckets: Any, limits: Any, words: Any, down: Any, spread: Any, dropped: Any, unsure: Any
) -> None:
    """Decide by the limits of each element's bucket; flag what they leave open."""
    for j in range(buckets.size):
        spread[j] = limits[buckets[j]]
    for j in range(buckets.size):
        word = np.uint32(np.uint32(words[j]) >> down)
        low, high = np.uint32(spread[j] >> _HALF), np.uint32(spread[j] & _LOW)
        above = np.uint8(word > high)
        dropped[j] = above
        unsure[j] = np.uint8(word >= low) ^ above


@compiled
def _flagged(flags: Any, found: Any) -> int:
    """List which flags are set; how many. Looks at eight at a time."""
    count = 0
    eights = flags[: flags.size // 8 * 8].view(np.uint64)
    for eight in range(eights.size):
        if eights[eight]:
            for j in range(8 * eight, 8 * eight + 8):
                if flags[j]:
                    found[count] = j
                    count += 1
    return count


@compiled
def _before(bits: Any, j: int, start: int, stop: int) -> Any:
    """How many from start to stop stand before that of j: smaller ones, equal ones left of it."""
    size, found = bits[j], _NONE
    left, right = bits[start:j], bits[j:stop]
    for k in range(left.size):
        found = np.uint32(found + np.uint32(left[k] <= size))
    for k in range(right.size):
        found = np.uint32(found + np.uint32(right[k] < size))
    return found


@compiled
def _by_rank(
    bits: Any, buckets: Any, starts: Any, unsure: Any, ordered: Any, table: Any, words: Any,
    dropped: Any,
) -> None:  # fmt: skip
    """Bring the row in the order of its buckets, then rank each unsure element within its own."""
    places = np.empty(bits.size, np.uint32)
    for j in range(bits.size):
        place = starts[buckets[j]]
        starts[buckets[j]] = np.uint32(place + _ONE)
        places[j] = place
        ordered[place] = bits[j]
    for j in unsure:
        bucket = buckets[j]
        start, stop = starts[np.uint32(bucket - _ONE)], starts[bucket]  # moved on to their ends
        rank = start + _before(ordered, places[j], start, stop)
        dropped[j] = words[j] >= table[rank]
