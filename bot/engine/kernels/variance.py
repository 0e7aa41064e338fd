"""Selecting elements by the variance between models, as SCE does: what it must know first."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.deltas import load_deltas, sum_up
from bot.engine.kernels.magnitudes import settle_high, settle_low, tally, tally_inside
from bot.engine.kernels.sums import add_products, total
from bot.engine.kernels.tiles import TILE
from bot.methods.reductions.lanes import LANES

MAGNITUDE = np.uint32(0x7FFFFFFF)
_ZERO = np.float32(0)


@compiled
def spread(deltas: Any, count: int, mean: Any, variance: Any) -> None:
    """The population variance of a tile's deltas at every element, float32."""
    models = deltas.shape[0]
    sum_up(deltas, count, mean)
    _divide(mean, count, models)
    for j in range(count):
        variance[j] = _ZERO
    for m in range(models):
        delta = deltas[m]
        for j in range(count):
            apart = delta[j] - mean[j]
            variance[j] += apart * apart
    _divide(variance, count, models)


@compiled
def _divide(values: Any, count: int, by: int) -> None:
    """In place; where the reciprocal is exact the product is the quotient, and much faster."""
    if by & (by - 1) == 0:
        share = np.float32(1 / by)
        for j in range(count):
            values[j] *= share
    else:
        divisor = np.float32(by)
        for j in range(count):
            values[j] /= divisor


@compiled
def select(variance: Any, count: int, threshold: Any, room: Any, deltas: Any) -> None:
    """Zero a tile's deltas where the variance is below the threshold.

    ``room`` (int64 (1,), changed) is how many elements at the threshold may still be kept.
    """
    at = 0
    for j in range(count):
        at += variance[j] == threshold
    if 0 < room[0] < at:
        _select_by_index(variance, count, threshold, room, deltas)
        return
    keep = room[0] >= at
    room[0] -= at
    for m in range(deltas.shape[0]):
        delta = deltas[m]
        for j in range(count):
            chosen = variance[j] >= threshold if keep else variance[j] > threshold
            delta[j] = delta[j] if chosen else _ZERO


@compiled
def _select_by_index(variance: Any, count: int, threshold: Any, room: Any, deltas: Any) -> None:
    """The tile in which room runs out."""
    for j in range(count):
        chosen = variance[j] > threshold
        if variance[j] == threshold:
            chosen = room[0] > 0
            room[0] -= 1
        if not chosen:
            for m in range(deltas.shape[0]):
                deltas[m, j] = _ZERO


@compiled
def variance_high(
    stored: Any, first: int, elements: int, shift: Any, counts: Any, singles: Any
) -> int:
    """``count_high`` of the variances between the models; ``stored`` as in ``load_deltas``."""
    base, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    deltas, mean = np.empty((stored.shape[0] - 1, TILE), np.float32), np.empty(TILE, np.float32)
    tables = np.zeros((2, counts.size), np.uint32)
    largest = np.uint32(0)
    for start in range(first, first + elements, TILE):
        stop = min(start + TILE, first + elements)
        load_deltas(stored, start, stop, shift, base, bits, deltas)
        _variance_bits(deltas, stop - start, mean, bits)
        largest = max(largest, tally(bits, stop - start, base, tables))
    return settle_high(tables, largest, counts, singles)


@compiled
def _variance_bits(deltas: Any, count: int, mean: Any, bits: Any) -> None:
    """Without a sign, which a NaN may have."""
    spread(deltas, count, mean, bits.view(np.float32))
    for j in range(count):
        bits[j] &= MAGNITUDE


@compiled
def variance_low(
    stored: Any, first: int, elements: int, shift: Any, place: Any, counts: Any, singles: Any
) -> int:
    """``count_low`` of the variances between the models."""
    base, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    deltas, mean = np.empty((stored.shape[0] - 1, TILE), np.float32), np.empty(TILE, np.float32)
    places, table = np.array([place], np.uint32), np.zeros((1, counts.size), np.uint32)
    for start in range(first, first + elements, TILE):
        stop = min(start + TILE, first + elements)
        load_deltas(stored, start, stop, shift, base, bits, deltas)
        _variance_bits(deltas, stop - start, mean, bits)
        tally_inside(bits, stop - start, base, places, table)
    return settle_low(table[0], counts, singles)


@compiled
def variance_equal(stored: Any, first: int, elements: int, shift: Any, threshold: Any) -> int:
    """How many variances are exactly so large."""
    base, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    deltas, mean = np.empty((stored.shape[0] - 1, TILE), np.float32), np.empty(TILE, np.float32)
    found = 0
    for start in range(first, first + elements, TILE):
        stop = min(start + TILE, first + elements)
        load_deltas(stored, start, stop, shift, base, bits, deltas)
        variance = bits.view(np.float32)
        spread(deltas, stop - start, mean, variance)
        for j in range(stop - start):
            found += variance[j] == threshold
    return found


@compiled
def energies(
    stored: Any, first: int, elements: int, shift: Any, cut: Any, room: Any, sums: Any
) -> None:
    """Add the sum of squares of every model's selected deltas to ``sums``, float64 (models,).

    ``cut`` is the threshold, float32 (1,), or empty where everything is selected; ``room`` as in
    ``select``.
    """
    models = sums.size
    base, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    deltas, work = np.empty((models, TILE), np.float32), np.empty((2, TILE), np.float32)
    lanes = np.zeros((models, LANES), np.float64)
    for start in range(first, first + elements, TILE):
        stop = min(start + TILE, first + elements)
        load_deltas(stored, start, stop, shift, base, bits, deltas)
        for threshold in cut:
            spread(deltas, stop - start, work[0], work[1])
            select(work[1], stop - start, threshold, room, deltas)
        for m in range(models):
            delta = deltas[m, : stop - start]
            add_products(delta, delta, lanes[m])
    for m in range(models):
        sums[m] += total(lanes[m])
