"""Which reductions have a kernel that reads a grain as it is stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.arcee_fusion_calls import importance_folder
from bot.engine.kernels.float_bits import TILE
from bot.engine.kernels.magnitude_histogram_kernel import count_equal, count_high, count_low
from bot.engine.kernels.ordered_sum_kernel import gram
from bot.engine.kernels.ram_calls import shared_folder
from bot.engine.kernels.sce_calls import energy_folder, variance_folder
from bot.engine.kernels.scratch import (
    bins,
    high_tables,
    histogram,
    lanes,
    low_tables,
    marks,
    scratch,
    tiles,
)
from bot.engine.kernels.sparsify_args import sparsify_args
from bot.engine.kernels.stored_grain import Fold, FoldKernel, StoredGrain
from bot.engine.kernels.task_vector_kernel import magnitude_sums
from bot.methods.core.reduction import Reduction
from bot.methods.reductions.compose import WithKnown
from bot.methods.reductions.delta_counts import DeltaEnergy, SharedAndUnique
from bot.methods.reductions.gram import Gram
from bot.methods.reductions.importance import ImportanceQuartiles
from bot.methods.reductions.kth_magnitude import (
    EqualBefore,
    KthMagnitude,
    LowBits,
    ThresholdBin,
    deltas,
)
from bot.methods.reductions.l1_ratio import L1Ratio
from bot.methods.reductions.magnitude_histogram import MagnitudeCounts
from bot.methods.sce import variance


def folder(reduction: Reduction[Any]) -> FoldKernel | None:
    """The kernel for a reduction; None when its plain definition must do."""
    match reduction:
        case WithKnown():
            return folder(reduction.reduction)
        case KthMagnitude() if reduction.values is deltas:
            return FoldKernel(_high, any_order=True)
        case LowBits() if reduction.values is deltas:
            return FoldKernel(_low(reduction), any_order=True)
        case EqualBefore() if reduction.values is deltas:
            return FoldKernel(_equal(reduction), any_order=True)
        case KthMagnitude() | LowBits() | EqualBefore() if reduction.values is variance:
            return variance_folder(reduction)
        case ImportanceQuartiles() | LowBits():
            return importance_folder(reduction)
        case SharedAndUnique():
            return shared_folder(reduction)
        case DeltaEnergy():
            return energy_folder(reduction)
        case L1Ratio():
            return _magnitudes(reduction)
        case Gram():
            return FoldKernel(_gram(reduction), any_order=False)
        case _:
            return None


def _high(state: MagnitudeCounts, grain: StoredGrain) -> MagnitudeCounts:
    rows, found, work = [], bins(), scratch("tiles", (1, TILE), np.uint32)
    for model in range(1, state.rows + 1):
        inputs = grain.row(0), grain.row(model), grain.shift
        rows.append(histogram(found, count_high(*inputs, found, work, high_tables())))
    return state.note((grain.tensor, grain.span.start), rows)


def _low(reduction: LowBits) -> Fold:
    def fold(state: MagnitudeCounts, grain: StoredGrain) -> MagnitudeCounts:
        rows, found = [], bins()
        for model, place in zip(reduction.models, reduction.places, strict=True):
            held = 0
            if isinstance(place, ThresholdBin):
                inputs = grain.row(0), grain.row(model + 1), grain.shift
                held = count_low(*inputs, np.uint32(place.bin), found, low_tables(1)[0])
            rows.append(histogram(found, held))
        return state.note((grain.tensor, grain.span.start), rows)

    return fold


def _equal(reduction: EqualBefore) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        counts = []
        for model, cut in zip(reduction.models, reduction.cuts, strict=True):
            row = grain.row(model + 1)
            some = cut.spare is not None
            counts.append(int(count_equal(grain.row(0), row, grain.shift, cut.bits)) if some else 0)
        return (*state, ((grain.tensor, grain.span.start), tuple(counts)))

    return fold


def _magnitudes(reduction: L1Ratio) -> FoldKernel | None:
    arguments_of = sparsify_args(reduction.sparsify, again=True)
    if arguments_of is None:
        return None

    def fold(state: Any, grain: StoredGrain) -> Any:
        sparse = arguments_of(grain)
        magnitude_sums(
            grain.bits, grain.shift, sparse.ends, sparse.bands, sparse.dropped, state, tiles(2),
            marks(), lanes(2),
        )  # fmt: skip
        return state

    return FoldKernel(fold, any_order=False)


def _gram(reduction: Gram) -> Fold:
    def fold(state: Any, grain: StoredGrain) -> Any:
        minus = reduction.of == "deltas" or (reduction.of == "vectors" and grain.has_base)
        skip = int(grain.has_base and reduction.of in {"models", "vectors"} and not minus)
        rows = len(state)
        gram(grain.bits[skip:], grain.shift, minus, state, tiles(rows), lanes(rows, rows))
        return state

    return fold
