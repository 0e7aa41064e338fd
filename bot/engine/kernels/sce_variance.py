"""Selecting elements by the variance between models, as SCE does: what it must know first.

``work`` is float32 (models + 2, tile) everywhere: the deltas, then the mean and the variance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import TILE, larger, magnitude_bits
from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.magnitude_histogram_kernel import count, high_bin, move, settle
from bot.engine.kernels.ordered_sum_kernel import add_squares, total
from bot.engine.kernels.task_vector_tile import load_deltas, sum_up

WORK_ROWS = 2
"""Tiles beside one for each model."""
_ZERO = np.float32(0)
_LOW, _ONE = np.uint32(0xFFFF), np.uint32(1)


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
            apart = np.float32(delta[j] - mean[j])
            variance[j] += np.float32(apart * apart)
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
def select(variance: Any, count: int, threshold: Any, spare: Any, deltas: Any) -> None:
    """Zero a tile's deltas where the variance is below the threshold.

    ``spare`` (int64 (1,), changed) is how many elements at the threshold may still be kept.
    """
    at = 0
    for j in range(count):
        at += variance[j] == threshold
    if 0 < spare[0] < at:
        _select_by_index(variance, count, threshold, spare, deltas)
        return
    keep = spare[0] >= at
    spare[0] -= at
    for m in range(deltas.shape[0]):
        delta = deltas[m]
        for j in range(count):
            chosen = variance[j] >= threshold if keep else variance[j] > threshold
            delta[j] = delta[j] if chosen else _ZERO


@compiled
def _select_by_index(variance: Any, count: int, threshold: Any, spare: Any, deltas: Any) -> None:
    """The tile in which the last spare element is used."""
    for j in range(count):
        chosen = variance[j] > threshold
        if variance[j] == threshold:
            chosen = spare[0] > 0
            spare[0] -= 1
        if not chosen:
            for m in range(deltas.shape[0]):
                deltas[m, j] = _ZERO


@compiled
def _variances(stored: Any, start: int, stop: int, shift: Any, work: Any) -> None:
    """The variances of a tile, into the last row; they have no sign but a NaN's."""
    models = work.shape[0] - 2
    load_deltas(stored, start, stop, shift, work[:models])
    spread(work[:models], stop - start, work[models], work[models + 1])


@compiled
def variance_high(stored: Any, shift: Any, found: Any, work: Any, tables: Any) -> int:
    """``count_high`` of the variances between the models; ``stored`` as in ``load_deltas``."""
    largest = np.uint32(0)
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        variance = work[work.shape[0] - 1, : stop - start]
        _variances(stored, start, stop, shift, work)
        bins = work[0, : stop - start].view(np.uint32)
        for j in range(bins.size):
            bins[j] = high_bin(magnitude_bits(variance[j]))
            largest = larger(largest, bins[j])
        count(bins, tables)
    return settle(tables, largest, found)


@compiled
def variance_low(stored: Any, shift: Any, place: Any, found: Any, work: Any, table: Any) -> int:
    """``count_low`` of the variances between the models."""
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        variance = work[work.shape[0] - 1, : stop - start]
        _variances(stored, start, stop, shift, work)
        for j in range(variance.size):
            bits = magnitude_bits(variance[j])
            if high_bin(bits) == place:
                table[np.uint32(bits & _LOW)] += _ONE
    return move(table, found)


@compiled
def variance_equal(stored: Any, shift: Any, threshold: Any, work: Any) -> int:
    """How many variances are exactly so large."""
    found = 0
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        variance = work[work.shape[0] - 1, : stop - start]
        _variances(stored, start, stop, shift, work)
        for j in range(variance.size):
            found += variance[j] == threshold
    return found


@compiled
def energies(
    stored: Any, shift: Any, cut: Any, spare: Any, sums: Any, work: Any, lanes: Any
) -> None:
    """Add the sum of squares of every model's selected deltas to ``sums``, float64 (models,).

    ``cut`` is the threshold, float32 (1,), or empty where everything is selected; ``spare`` as in
    ``select``; ``lanes`` is float64 (models, lanes), zeros before and after.
    """
    models = sums.size
    deltas, mean, variance = work[:models], work[models], work[models + 1]
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        load_deltas(stored, start, stop, shift, deltas)
        if cut.size:
            spread(deltas, stop - start, mean, variance)
            select(variance, stop - start, cut[0], spare, deltas)
        for m in range(models):
            delta = deltas[m, : stop - start]
            add_squares(delta, lanes[m])
    for m in range(models):
        sums[m] += total(lanes[m])
