"""Elementwise methods that ask at every element which models changed it: RAM, TALL masks, NearSwap.

Every kernel takes stored rows as ``load_deltas`` does and a room of tiles to work in;
``out_shift`` is what ``shift`` is, for ``out``. It returns whether everything is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.deltas import load_deltas
from bot.engine.kernels.tiles import INFINITY, TILE, larger, magnitude_bits, number, store

WORK_ROWS = 2
"""Tiles beside one for each model."""
_ZERO, _ONE = np.float32(0), np.float32(1)
_NONE = np.uint32(0)


@compiled
def pooled(
    stored: Any, shift: Any, epsilon: Any, gains: Any, out: Any, out_shift: Any, work: Any
) -> bool:
    """The base and its active changes, times ``gains`` (float32) where alone, else their mean."""
    models, largest, finite = gains.size, _NONE, True
    deltas, mixed, found = work[:models], work[models], work[models + 1]
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        largest = larger(largest, load_deltas(stored, start, stop, shift, deltas))
        _count_active(deltas, count, epsilon, found)
        for m in range(models):
            delta, gain = deltas[m], gains[m]
            for j in range(count):
                raised = np.float32(delta[j] * gain) if found[j] == _ONE else delta[j]
                part = raised if abs(delta[j]) > epsilon else _ZERO
                mixed[j] = part if m == 0 else mixed[j] + part
        base = stored[0, start:stop]
        for j in range(count):
            divisor = max(_ONE, found[j])
            mixed[j] = number(base[j], shift) + np.float32(mixed[j] / divisor)
        finite &= store(mixed[:count], out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)


@compiled
def _count_active(deltas: Any, count: int, epsilon: Any, found: Any) -> None:
    """How many models moved each element of a tile by more than epsilon."""
    for j in range(count):
        found[j] = _ZERO
    for m in range(deltas.shape[0]):
        delta = deltas[m]
        for j in range(count):
            found[j] += _ONE if abs(delta[j]) > epsilon else _ZERO


@compiled
def count_shared(stored: Any, shift: Any, epsilon: Any, counts: Any, work: Any) -> None:
    """Add every model's shared and unique changes to ``counts``, int64 (2, models)."""
    models = counts.shape[1]
    deltas, found = work[:models], work[models]
    for start in range(0, stored.shape[1], TILE):
        stop = min(start + TILE, stored.shape[1])
        load_deltas(stored, start, stop, shift, deltas)
        _count_active(deltas, stop - start, epsilon, found)
        for m in range(models):
            delta = deltas[m]
            active, alone = _NONE, _NONE
            for j in range(stop - start):
                moved = abs(delta[j]) > epsilon
                active = np.uint32(active + np.uint32(moved))
                alone = np.uint32(alone + np.uint32(moved & (found[j] == _ONE)))
            counts[0, m] += np.uint32(active - alone)
            counts[1, m] += alone


@compiled
def claimed(
    stored: Any, shift: Any, weight: Any, strictness: Any, votes: Any, agreement: Any,
    lambda_: Any, out: Any, out_shift: Any, work: Any,
) -> bool:  # fmt: skip
    """``base + lambda * sum_i(w_i * d_i)`` where enough votes claim the element, else the base.

    ``weight``, ``strictness`` and ``votes`` are float32 (models,): who claims casts so many votes.
    """
    models, largest, finite = weight.size, _NONE, True
    deltas, together, claims = work[:models], work[models], work[models + 1]
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        largest = larger(largest, load_deltas(stored, start, stop, shift, deltas))
        for m in range(models):
            delta, share = deltas[m], weight[m]
            for j in range(count):
                part = np.float32(delta[j] * share)
                together[j] = part if m == 0 else together[j] + part
        for j in range(count):
            claims[j] = _ZERO
        for m in range(models):
            delta, strict, vote = deltas[m], strictness[m], votes[m]
            for j in range(count):
                others = np.float32(abs(together[j] - delta[j]) * strict)
                claims[j] += vote if abs(delta[j]) > others else _ZERO
        base = stored[0, start:stop]
        for j in range(count):
            kept = together[j] if claims[j] >= agreement else _ZERO
            together[j] = number(base[j], shift) + np.float32(kept * lambda_)
        finite &= store(together[:count], out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)


@compiled
def step_towards(stored: Any, shift: Any, t: Any, out: Any, out_shift: Any, work: Any) -> bool:
    """The base moved towards the model by at most ``t`` (float32)."""
    largest, finite = _NONE, True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        base, model, moved = stored[0, start:stop], stored[1, start:stop], work[0, : stop - start]
        for j in range(moved.size):
            origin, aim = number(base[j], shift), number(model[j], shift)
            delta = np.float32(aim - origin)
            largest = larger(largest, magnitude_bits(delta))
            step = np.float32(origin + (t if delta > _ZERO else -t))
            moved[j] = aim if abs(delta) <= t else step
        finite &= store(moved, out_shift, out[start:stop])
    return finite and bool(largest < INFINITY)
