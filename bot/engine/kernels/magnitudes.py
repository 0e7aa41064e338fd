"""Counting magnitudes: the passes of the exact k-th magnitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

_LOW = np.uint32(0xFFFF)
_HALF, _ONE = np.uint32(16), np.uint32(1)
_TILE = 4096


@compiled
def _delta_bits(base: Any, model: Any, shift: Any, work: Any) -> None:
    """Bits of ``|model - base|`` of a tile into the second row of ``work`` (uint32, (2, tile))."""
    left, delta = work[0], work[1]
    a, d = left.view(np.float32), delta.view(np.float32)
    for j in range(base.size):
        left[j] = np.uint32(base[j]) << shift
    for j in range(model.size):
        delta[j] = np.uint32(model[j]) << shift
    for j in range(base.size):
        d[j] = abs(d[j] - a[j])


@compiled
def count_high(base: Any, model: Any, shift: Any, counts: Any, singles: Any) -> int:
    """Histogram of the high 16 bits of ``|model - base|``, in two bins each.

    Args:
        base: uint16 or uint32 (elements,).
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        counts: int64 (131072,), added to: even bins where the low 16 bits are zero.
        singles: uint32 (2, 65536): set to the high halves of the even bins in use, and their
            counts.

    Returns:
        How many even bins are in use.
    """
    work = np.empty((2, _TILE), np.uint32)
    tables = np.zeros((2, counts.size), np.uint32)
    bins = work[0]
    largest = np.uint32(0)
    for start in range(0, base.size, _TILE):
        stop = min(start + _TILE, base.size)
        _delta_bits(base[start:stop], model[start:stop], shift, work)
        largest = max(largest, tally(work[1], stop - start, bins, tables))
    return settle_high(tables, largest, counts, singles)


@compiled
def tally(bits: Any, count: int, bins: Any, tables: Any) -> Any:
    """Count a tile in two tables (uint32, (2, 131072)); the largest bin of the tile."""
    largest = _bins(bits, count, bins)
    _count(bins, count, tables[0], tables[1])
    return largest


@compiled
def settle_high(tables: Any, largest: Any, counts: Any, singles: Any) -> int:
    """Add the tables to ``counts``; ``singles`` and the result are those of ``count_high``."""
    even, odd = tables[0], tables[1]
    held = 0
    for bin_ in range(largest + 1):
        found = even[bin_] + odd[bin_]
        counts[bin_] += found
        if bin_ % 2 == 0 and found:
            singles[0, held], singles[1, held] = bin_ // 2, found
            held += 1
    return held


@compiled
def _bins(bits: Any, count: int, bins: Any) -> Any:
    """The bin of every magnitude; the largest one."""
    largest = np.uint32(0)
    for j in range(count):
        low = np.uint32((bits[j] & _LOW) != 0)
        bins[j] = ((bits[j] >> _HALF) << _ONE) | low
        largest = max(largest, bins[j])
    return largest


@compiled
def _count(bins: Any, n: int, even: Any, odd: Any) -> None:
    """Count bins in two tables in turn: neighbours are often equal, and would wait."""
    for j in range(0, n - 1, 2):
        even[bins[j]] += _ONE
        odd[bins[j + 1]] += _ONE
    if n % 2:
        even[bins[n - 1]] += _ONE


@compiled
def count_low(base: Any, model: Any, shift: Any, place: Any, counts: Any, singles: Any) -> int:
    """Histogram of the low 16 bits of those ``|model - base|`` that are in bin ``place``.

    Args:
        base: as in ``count_high``, and so are the next two.
        model: likewise.
        shift: likewise.
        place: uint32.
        counts: int64 (65536,), added to.
        singles: uint32 (2, 65536): set to the low halves that were found, and their counts.

    Returns:
        How many were found.
    """
    work = np.empty((2, _TILE), np.uint32)
    places, table = np.array([place], np.uint32), np.zeros((1, counts.size), np.uint32)
    for start in range(0, base.size, _TILE):
        stop = min(start + _TILE, base.size)
        _delta_bits(base[start:stop], model[start:stop], shift, work)
        tally_inside(work[1], stop - start, work[0], places, table)
    return settle_low(table[0], counts, singles)


@compiled
def tally_inside(bits: Any, count: int, bins: Any, places: Any, tables: Any) -> None:
    """Count the low halves of a tile's magnitudes in each of some bins, a table for each."""
    _bins(bits, count, bins)
    for row in range(places.size):
        place, table = places[row], tables[row]
        for j in range(count):
            if bins[j] == place:
                table[bits[j] & _LOW] += _ONE


@compiled
def settle_low(table: Any, counts: Any, singles: Any) -> int:
    """Add the table to ``counts``; ``singles`` and the result are those of ``count_low``."""
    held = 0
    for low in range(counts.size):
        if table[low]:
            counts[low] += table[low]
            singles[0, held], singles[1, held] = low, table[low]
            held += 1
    return held


@compiled
def count_equal(base: Any, model: Any, shift: Any, magnitude: Any) -> int:
    """How many ``|model - base|`` have exactly these bits."""
    work = np.empty((2, _TILE), np.uint32)
    delta = work[1]
    found = 0
    for start in range(0, base.size, _TILE):
        stop = min(start + _TILE, base.size)
        _delta_bits(base[start:stop], model[start:stop], shift, work)
        for j in range(stop - start):
            found += delta[j] == magnitude
    return found
