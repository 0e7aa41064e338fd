"""Which reductions have a kernel that reads a grain as it is stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.consensus import magnitude_sums
from bot.engine.kernels.elementwise import shared_folder
from bot.engine.kernels.important import importance_folder
from bot.engine.kernels.magnitudes import count_equal, count_high, count_low
from bot.engine.kernels.room import (
    bins,
    high_tables,
    histogram,
    lanes,
    low_tables,
    marks,
    room,
    tiles,
)
from bot.engine.kernels.selected import energy_folder, variance_folder
from bot.engine.kernels.stored import Fold, Folder, StoredGrain
from bot.engine.kernels.sums import gram
from bot.engine.kernels.thinning import thinner
from bot.engine.kernels.tiles import TILE
from bot.methods.reduction import Reduction
from bot.methods.reductions.chain import Beside
from bot.methods.reductions.counts import Energy, SharedAndUnique
from bot.methods.reductions.gram import Gram
from bot.methods.reductions.importance import ImportanceQuartiles
from bot.methods.reductions.kth_magnitude import KthMagnitude, LowBits, Place, TiesBefore, deltas
from bot.methods.reductions.l1_ratio import L1Ratio
from bot.methods.reductions.tally import Tally
from bot.methods.select import variance


def folder(reduction: Reduction[Any]) -> Folder | None:
    """The kernel for a reduction; None when its plain definition must do."""
    match reduction:
        case Beside():
            return folder(reduction.reduction)
        case KthMagnitude() if reduction.values is deltas:
            return Folder(_high, any_order=True)
        case LowBits() if reduction.values is deltas:
            return Folder(_low(reduction), any_order=True)
        case TiesBefore() if reduction.values is deltas:
            return Folder(_equal(reduction), any_order=True)
        case KthMagnitude() | LowBits() | TiesBefore() if reduction.values is variance:
            return variance_folder(reduction)
        case ImportanceQuartiles() | LowBits():
            return importance_folder(reduction)
        case SharedAndUnique():
            return shared_folder(reduction)
        case Energy():
            return energy_folder(reduction)
        case L1Ratio():
            return _magnitudes(reduction)
        case Gram():
            return Folder(_gram(reduction), any_order=False)
        case _:
            return None


def _high(state: Tally, grain: StoredGrain) -> Tally:
    rows, found, work = [], bins(), room("tiles", (1, TILE), np.uint32)
    for model in range(1, state.rows + 1):
        inputs = grain.row(0), grain.row(model), grain.shift
        rows.append(histogram(found, count_high(*inputs, found, work, high_tables())))
    return state.note((grain.tensor, grain.span.start), rows)


def _low(reduction: LowBits) -> Fold:
    def fold(state: Tally, grain: StoredGrain) -> Tally:
        rows, found = [], bins()
        for model, place in zip(reduction.models, reduction.places, strict=True):
            held = 0
            if isinstance(place, Place):
                inputs = grain.row(0), grain.row(model + 1), grain.shift
                held = count_low(*inputs, np.uint32(place.bin), found, low_tables(1)[0])
            rows.append(histogram(found, held))
        return state.note((grain.tensor, grain.span.start), rows)

    return fold


def _equal(reduction: TiesBefore) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        counts = []
        for model, cut in zip(reduction.models, reduction.cuts, strict=True):
            row = grain.row(model + 1)
            some = cut.spare is not None
            counts.append(int(count_equal(grain.row(0), row, grain.shift, cut.bits)) if some else 0)
        return (*state, ((grain.tensor, grain.span.start), tuple(counts)))

    return fold


def _magnitudes(reduction: L1Ratio) -> Folder | None:
    thinned = thinner(reduction.thin, again=True)
    if thinned is None:
        return None

    def fold(state: Any, grain: StoredGrain) -> Any:
        thin = thinned(grain)
        magnitude_sums(
            grain.bits, grain.shift, thin.ends, thin.bands, thin.dropped, state, tiles(2), marks(),
            lanes(2),
        )  # fmt: skip
        return state

    return Folder(fold, any_order=False)


def _gram(reduction: Gram) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        minus = reduction.of == "deltas" or (reduction.of == "moved" and grain.has_base)
        skip = int(grain.has_base and reduction.of in {"models", "moved"} and not minus)
        rows = len(state)
        gram(grain.bits[skip:], grain.shift, minus, state, tiles(rows), lanes(rows, rows))
        return state

    return fold
