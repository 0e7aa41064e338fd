"""Random drops by rank of magnitude within a row (DELLA), without a comparison sort.

A bucket of similar magnitudes tells an element's rank to within the bucket's size. As thresholds
change little with rank that nearly always decides; only the few others are ranked exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.tiles import difference, larger, magnitude_bits

_OCTAVES = 8
"""Magnitudes so many powers of two below a row's largest share the lowest bucket but one."""
_CROWD = 16
"""Elements for each bucket, about."""
_COUNTED_ONE_BY_ONE = 32
"""For up to so many unsure elements counting what is smaller costs less than ordering the row."""
_MANTISSA = 23
_HALF, _LOW = np.uint32(16), np.uint32(0xFFFF)
_EITHER_WAY = np.uint32(0x80007FFF)
"""Limits that leave nothing open."""
_NONE, _ONE = np.uint32(0), np.uint32(1)
WORK_ROWS = 9
"""Rows of ``work``, each as long as a row of the tensor and 32 numbers more."""


@compiled
def rank_drops(
    base: Any, model: Any, shift: Any, width: int, table: Any, words: Any, dropped: Any, work: Any,
    flags: Any,
) -> None:  # fmt: skip
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
        work: uint32 (9, width + 32).
        flags: uint64 (width / 8 + 1,).
    """
    bits, buckets, ordered, found = work[0, :width], work[1, :width], work[2], work[3]
    places, fine = work[4], _fineness(width)
    held = (_OCTAVES << fine) + 2
    even, odd, limits, starts = work[5, :held], work[6, :held], work[7], work[8]
    down = np.uint32(8 * words.itemsize - 16)
    flags[flags.size - 1] = 0
    for which in range(base.size // width):
        row = slice(which * width, (which + 1) * width)
        drawn, marks = words[row], dropped[row]
        largest = _magnitudes(base[row], model[row], shift, bits)
        _by_bucket(bits, largest, fine, held, buckets)
        _count(buckets, even, odd)
        _limits(even, odd, table, down, limits, starts)
        _by_limits(buckets, limits, drawn, down, ordered, marks, flags.view(np.uint8))
        unsure = _flagged(flags, found)
        if unsure <= _COUNTED_ONE_BY_ONE:
            for k in range(unsure):
                j = found[k]
                marks[j] = np.uint32(drawn[j]) >= table[_before(bits, j, 0, width)]
        else:
            _by_rank(bits, buckets, starts, found[:unsure], ordered, places, table, drawn, marks)


@compiled
def _magnitudes(base: Any, model: Any, shift: Any, bits: Any) -> Any:
    """The bits of ``|model - base|``; the largest."""
    largest = _NONE
    for j in range(bits.size):
        word = magnitude_bits(difference(model[j], base[j], shift))
        largest = larger(largest, word)
        bits[j] = word
    return largest


@compiled
def _fineness(width: int) -> int:
    """Leading bits of the mantissa that tell buckets apart."""
    fine = 2
    while fine < _MANTISSA and _OCTAVES << fine < width // _CROWD:
        fine += 1
    return fine


@compiled
def _by_bucket(bits: Any, largest: Any, fine: int, held: int, buckets: Any) -> None:
    """The bucket of each magnitude, zeros in the first."""
    down = np.uint32(_MANTISSA - fine)
    offset = np.int32(np.int32(held - 1) - np.int32(np.uint32(largest >> down)))
    for j in range(bits.size):
        place = np.int32(np.int32(np.uint32(bits[j] >> down)) + offset)
        place = np.int32(max(place, np.int32(1)))
        buckets[j] = np.uint32(place) if bits[j] else _NONE


@compiled
def _count(buckets: Any, even: Any, odd: Any) -> None:
    """How many each bucket holds, in two parts: neighbours are often equal, and would wait."""
    for bucket in range(even.size):
        even[bucket] = _NONE
        odd[bucket] = _NONE
    for pair in range(buckets.size // 2):
        even[buckets[2 * pair]] += _ONE
        odd[buckets[2 * pair + 1]] += _ONE
    if buckets.size % 2:
        even[buckets[buckets.size - 1]] += _ONE


@compiled
def _limits(even: Any, odd: Any, table: Any, down: Any, limits: Any, starts: Any) -> None:
    """Per bucket its first rank, and the upper 16 bits of its lowest and of the next threshold.

    The next one, the first of the bucket that follows, is never below the bucket's highest.
    """
    rank, last = _NONE, np.uint32(table.size - 1)
    low = np.uint32(table[0] >> down)
    for bucket in range(even.size):
        starts[bucket] = rank
        rank = np.uint32(rank + np.uint32(even[bucket] + odd[bucket]))
        following = np.uint32(table[np.uint32(min(rank, last))] >> down)
        limits[bucket] = np.uint32(np.uint32(low << _HALF) | following)
        low = following
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
        unsure[j] = np.uint8(np.uint8(word >= low) ^ above)


@compiled
def _flagged(flags: Any, found: Any) -> int:
    """List which flags are set; how many. Looks at eight at a time."""
    count, single = 0, flags.view(np.uint8)
    for eight in range(flags.size):
        if flags[eight]:
            for j in range(8 * eight, 8 * eight + 8):
                if single[j]:
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
    bits: Any, buckets: Any, starts: Any, unsure: Any, ordered: Any, places: Any, table: Any,
    words: Any, dropped: Any,
) -> None:  # fmt: skip
    """Bring the row in the order of its buckets, then rank each unsure element within its own."""
    for j in range(bits.size):
        place = starts[buckets[j]]
        starts[buckets[j]] = np.uint32(place + _ONE)
        places[j] = place
        ordered[place] = bits[j]
    for k in range(unsure.size):
        j = unsure[k]
        bucket = buckets[j]
        start, stop = starts[np.uint32(bucket - _ONE)], starts[bucket]  # moved on to their ends
        rank = np.uint32(start + _before(ordered, places[j], start, stop))
        dropped[j] = np.uint32(words[j]) >= table[rank]
