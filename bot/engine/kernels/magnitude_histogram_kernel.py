"""Counting magnitudes: the passes of the exact k-th magnitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import TILE, difference, larger, magnitude_bits
from bot.engine.kernels.kernel import compiled

_LOW = np.uint32(0xFFFF)
_HALF, _ONE, _NONE = np.uint32(16), np.uint32(1), np.uint32(0)


@compiled
def count_high(base: Any, model: Any, shift: Any, found: Any, work: Any, tables: Any) -> int:
    """Histogram of the high 16 bits of ``|model - base|``, in two bins each.

    Args:
        base: uint16 or uint32 (elements,).
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        found: uint32 (2, 65536), set to the bins in use, ascending, and their counts: even bins
            where the low 16 bits are zero.
        work: uint32 (1, tile).
        tables: uint32 (2, 65536), zeros before and after.

    Returns:
        How many bins are in use.
    """
    largest = _NONE
    for start in range(0, base.size, TILE):
        stop = min(start + TILE, base.size)
        bins = work[0, : stop - start]
        largest = larger(largest, _bins(base[start:stop], model[start:stop], shift, bins))
        count(bins, tables)
    return settle(tables, largest, found)


@compiled
def _bins(base: Any, model: Any, shift: Any, bins: Any) -> Any:
    """The bin of every ``|model - base|`` of a tile; the largest one."""
    largest = _NONE
    for j in range(bins.size):
        moved = difference(model[j], base[j], shift)
        bins[j] = high_bin(magnitude_bits(moved))
        largest = larger(largest, bins[j])
    return largest


@compiled
def high_bin(bits: Any) -> Any:
    """Twice the high half of a magnitude, and one more where the low half is not zero."""
    above = np.uint32((np.uint32(bits & _LOW)) != _NONE)
    return np.uint32(np.uint32(np.uint32(bits >> _HALF) << _ONE) | above)


@compiled
def count(bins: Any, tables: Any) -> None:
    """Count bins in two tables in turn: neighbours are often equal, and would wait."""
    even, odd = tables[0], tables[1]
    pairs = bins.size // 2
    for pair in range(pairs):
        even[bins[2 * pair]] += _ONE
        odd[bins[2 * pair + 1]] += _ONE
    if bins.size % 2:
        even[bins[bins.size - 1]] += _ONE


@compiled
def settle(tables: Any, largest: Any, found: Any) -> int:
    """Move the sum of two tables, in use up to a bin, to ``found``; all as in ``count_high``."""
    even, odd = tables[0, : np.int64(largest) + 1], tables[1, : np.int64(largest) + 1]
    for bin_ in range(even.size):
        even[bin_] += odd[bin_]
        odd[bin_] = _NONE
    return move(even, found)


@compiled
def move(table: Any, found: Any) -> int:
    """Move a table to ``found``; this and the result as ``count_low``."""
    held = 0
    for bin_ in range(table.size):
        if table[bin_]:
            found[0, held] = bin_
            found[1, held] = table[bin_]
            table[bin_] = _NONE
            held += 1
    return held


@compiled
def count_low(base: Any, model: Any, shift: Any, place: Any, found: Any, table: Any) -> int:
    """Histogram of the low 16 bits of those ``|model - base|`` that are in bin ``place``.

    Args:
        base: as in ``count_high``, and so are the next two.
        model: likewise.
        shift: likewise.
        place: uint32.
        found: as in ``count_high``.
        table: uint32 (65536,), zeros before and after.

    Returns:
        How many bins are in use.
    """
    for j in range(base.size):
        bits = magnitude_bits(difference(model[j], base[j], shift))
        if high_bin(bits) == place:
            table[np.uint32(bits & _LOW)] += _ONE
    return move(table, found)


@compiled
def tally_inside(bits: Any, places: Any, tables: Any) -> None:
    """Count the low halves of a tile's magnitudes in each of some bins, a table for each."""
    for row in range(places.size):
        place, table = places[row], tables[row]
        for j in range(bits.size):
            if high_bin(bits[j]) == place:
                table[np.uint32(bits[j] & _LOW)] += _ONE


@compiled
def count_equal(base: Any, model: Any, shift: Any, magnitude: Any) -> Any:
    """How many ``|model - base|`` have exactly these bits."""
    found = np.int64(0)
    for start in range(0, base.size, TILE):
        found += _equal(base[start : start + TILE], model[start : start + TILE], shift, magnitude)
    return found


@compiled
def reach_equal(base: Any, model: Any, shift: Any, magnitude: Any, wanted: int) -> Any:
    """Where the first ``wanted`` of the ``|model - base|`` with exactly these bits end.

    That is where the elements end unless there are more of them.
    """
    left = wanted
    for start in range(0, base.size, TILE):
        below, above = base[start : start + TILE], model[start : start + TILE]
        equal = _equal(below, above, shift, magnitude)
        if equal > left:
            return start + _reach(below, above, shift, magnitude, left)
        left -= equal
    return base.size


@compiled
def _reach(base: Any, model: Any, shift: Any, magnitude: Any, wanted: int) -> Any:
    """The same in the tile that holds more than are wanted."""
    for j in range(base.size):
        if wanted == 0:
            return j
        wanted -= magnitude_bits(difference(model[j], base[j], shift)) == magnitude
    return base.size


@compiled
def _equal(base: Any, model: Any, shift: Any, magnitude: Any) -> Any:
    """How many ``|model - base|`` of a tile have exactly these bits."""
    equal = _NONE
    for j in range(base.size):
        bits = magnitude_bits(difference(model[j], base[j], shift))
        equal = np.uint32(equal + np.uint32(bits == magnitude))
    return np.int64(equal)
