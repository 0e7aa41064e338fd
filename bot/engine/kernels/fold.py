"""Which reductions have a kernel that reads a grain as it is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bot.engine.kernels.consensus import magnitude_sums
from bot.engine.kernels.magnitudes import count_equal, count_high, count_low
from bot.engine.kernels.stored import StoredGrain
from bot.engine.kernels.sums import gram
from bot.engine.kernels.thinning import thinner
from bot.methods.reduction import Reduction
from bot.methods.reductions.chain import Then
from bot.methods.reductions.gram import Gram
from bot.methods.reductions.kth_magnitude import (
    BINS,
    KthMagnitude,
    LowBits,
    Place,
    Singles,
    Tally,
    TiesBefore,
    deltas,
)
from bot.methods.reductions.l1_ratio import L1Ratio

Fold = Callable[[Any, StoredGrain], Any]
"""Folds one grain into a state, as ``Reduction.update`` does with a block."""


class Folder(NamedTuple):
    """A kernel, and whether one state may take all grains of a chunk (integers are exact)."""

    fold: Fold
    any_order: bool


def folder(reduction: Reduction[Any]) -> Folder | None:
    """The kernel for a reduction; None when its plain definition must do."""
    match reduction:
        case Then():
            return folder(reduction.first)
        case KthMagnitude() if reduction.values is deltas:
            return Folder(_high, any_order=True)
        case LowBits() if reduction.values is deltas:
            return Folder(_low(reduction), any_order=True)
        case TiesBefore() if reduction.values is deltas:
            return Folder(_equal(reduction), any_order=True)
        case L1Ratio():
            return _magnitudes(reduction)
        case Gram():
            return Folder(_gram(reduction), any_order=False)
        case _:
            return None


def _high(state: Tally, grain: StoredGrain) -> Tally:
    rows, singles = [], np.empty((2, BINS), np.uint32)
    for model in range(len(state.counts)):
        counts = state.counts[model]
        held = count_high(grain.row(0), grain.row(model + 1), grain.shift, counts, singles)
        values, found = singles[:, :held]
        rows.append(Singles(values.astype(np.uint16), found.copy()))
    if state.blocks is not None:
        state.blocks.append(((grain.tensor, grain.span.start), rows))
    return state


def _low(reduction: LowBits) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        for row, (model, place) in enumerate(zip(reduction.models, reduction.places, strict=True)):
            if isinstance(place, Place):
                high = np.uint32(place.bin)
                count_low(grain.row(0), grain.row(model + 1), grain.shift, high, state[row])
        return state

    return fold


def _equal(reduction: TiesBefore) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        counts = []
        for model, cut in zip(reduction.models, reduction.cuts, strict=True):
            wanted = np.float32(cut.threshold).view(np.uint32)
            row = grain.row(model + 1)
            some = cut.spare is not None
            counts.append(int(count_equal(grain.row(0), row, grain.shift, wanted)) if some else 0)
        return (*state, ((grain.tensor, grain.span.start), tuple(counts)))

    return fold


def _magnitudes(reduction: L1Ratio) -> Folder | None:
    thinned = thinner(reduction.thin, again=True)
    if thinned is None:
        return None

    def fold(state: Any, grain: StoredGrain) -> Any:
        magnitude_sums(grain.bits, grain.first, grain.elements, grain.shift, *thinned(grain), state)
        return state

    return Folder(fold, any_order=False)


def _gram(reduction: Gram) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        minus = reduction.of == "deltas" or (reduction.of == "moved" and grain.has_base)
        skip = int(grain.has_base and reduction.of in {"models", "moved"} and not minus)
        gram(grain.bits[skip:], grain.first, grain.elements, grain.shift, minus, state)
        return state

    return fold
