"""Elementwise methods that ask at every element which models changed it: RAM, TALL masks, NearSwap.

Every kernel takes stored rows as ``load_deltas`` does, ``first`` being the column where ``out``
begins and ``out_shift`` what ``shift`` is for ``out``, and returns whether everything is finite.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.deltas import load_deltas
from bot.engine.kernels.tiles import TILE, load, store

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def pooled(
    stored: Any, first: int, shift: Any, epsilon: Any, gains: Any, out: Any, out_shift: Any
) -> bool:
    """The base and its active changes, times ``gains`` (float32) where alone, else their mean."""
    base_bits, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    base, mixed = base_bits.view(np.float32), bits.view(np.float32)
    deltas, found = np.empty((gains.size, TILE), np.float32), np.empty(TILE, np.float32)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        finite &= load_deltas(stored, first + start, first + stop, shift, base_bits, bits, deltas)
        _count_active(deltas, count, epsilon, found)
        for m in range(gains.size):
            delta, gain = deltas[m], gains[m]
            for j in range(count):
                raised = delta[j] * gain if found[j] == _ONE else delta[j]
                part = raised if abs(delta[j]) > epsilon else _ZERO
                mixed[j] = part if m == 0 else mixed[j] + part
        for j in range(count):
            divisor = max(_ONE, found[j])
            mixed[j] = base[j] + mixed[j] / divisor
        finite &= store(bits, out_shift, out[start:stop])
    return finite


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
def count_shared(
    stored: Any, first: int, elements: int, shift: Any, epsilon: Any, counts: Any
) -> None:
    """Add every model's shared and unique changes to ``counts``, int64 (2, models)."""
    models = counts.shape[1]
    base, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    deltas, found = np.empty((models, TILE), np.float32), np.empty(TILE, np.float32)
    for start in range(first, first + elements, TILE):
        stop = min(start + TILE, first + elements)
        load_deltas(stored, start, stop, shift, base, bits, deltas)
        _count_active(deltas, stop - start, epsilon, found)
        for m in range(models):
            delta = deltas[m]
            active, alone = np.uint32(0), np.uint32(0)
            for j in range(stop - start):
                moved = abs(delta[j]) > epsilon
                active += np.uint32(moved)
                alone += np.uint32(moved & (found[j] == _ONE))
            counts[0, m] += active - alone
            counts[1, m] += alone


@compiled
def claimed(
    stored: Any, first: int, shift: Any, weight: Any, strictness: Any, votes: Any, agreement: Any,
    lambda_: Any, out: Any, out_shift: Any,
) -> bool:  # fmt: skip
    """``base + lambda * sum_i(w_i * d_i)`` where enough votes claim the element, else the base.

    ``weight``, ``strictness`` and ``votes`` are float32 (models,): who claims casts so many votes.
    """
    base_bits, bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    base, merged = base_bits.view(np.float32), bits.view(np.float32)
    deltas, work = np.empty((weight.size, TILE), np.float32), np.empty((2, TILE), np.float32)
    together, claims = work[0], work[1]
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        count = stop - start
        finite &= load_deltas(stored, first + start, first + stop, shift, base_bits, bits, deltas)
        for m in range(weight.size):
            delta, share = deltas[m], weight[m]
            for j in range(count):
                part = delta[j] * share
                together[j] = part if m == 0 else together[j] + part
        for j in range(count):
            claims[j] = _ZERO
        for m in range(weight.size):
            delta, strict, vote = deltas[m], strictness[m], votes[m]
            for j in range(count):
                others = abs(together[j] - delta[j]) * strict
                claims[j] += vote if abs(delta[j]) > others else _ZERO
        for j in range(count):
            kept = together[j] if claims[j] >= agreement else _ZERO
            merged[j] = base[j] + kept * lambda_
        finite &= store(bits, out_shift, out[start:stop])
    return finite


@compiled
def step_towards(stored: Any, first: int, shift: Any, t: Any, out: Any, out_shift: Any) -> bool:
    """The base moved towards the model by at most ``t`` (float32)."""
    bits, merged = np.empty((2, TILE), np.uint32), np.empty(TILE, np.uint32)
    base, model, moved = bits[0].view(np.float32), bits[1].view(np.float32), merged.view(np.float32)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        finite &= load(stored[0, first + start : first + stop], shift, bits[0])
        finite &= load(stored[1, first + start : first + stop], shift, bits[1])
        for j in range(stop - start):
            delta = model[j] - base[j]
            step = base[j] + (t if delta > _ZERO else -t)
            moved[j] = model[j] if abs(delta) <= t else step
        finite &= store(merged, out_shift, out[start:stop])
    return finite
