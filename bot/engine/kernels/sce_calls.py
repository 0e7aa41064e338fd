"""SCE's reductions and arithmetic as calls of its kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.sce_kernel import WORK_ROWS as _SELECTING_ROWS
from bot.engine.kernels.sce_kernel import selected_mean
from bot.engine.kernels.sce_variance import (
    WORK_ROWS,
    energies,
    variance_equal,
    variance_high,
    variance_low,
)
from bot.engine.kernels.scratch import bins, high_tables, histogram, lanes, low_tables, tiles
from bot.engine.kernels.stored_grain import Bits, Combine, Fold, FoldKernel, StoredGrain, shift_of
from bot.methods.reductions.delta_counts import DeltaEnergy, Energies
from bot.methods.reductions.kth_magnitude import (
    Cut,
    EqualBefore,
    KthMagnitude,
    LowBits,
    ThresholdBin,
)
from bot.methods.reductions.magnitude_histogram import MagnitudeCounts
from bot.methods.sce import Selected, Selection, shares

_UNLIMITED = np.iinfo(np.int64).max


def variance_folder(reduction: KthMagnitude | LowBits | EqualBefore) -> FoldKernel:
    """The kernel for ranking one row of variances by one target."""
    match reduction:
        case KthMagnitude():
            return FoldKernel(_high, any_order=True)
        case LowBits():
            return FoldKernel(_low(reduction), any_order=True)
        case EqualBefore():
            return FoldKernel(_equal(reduction), any_order=True)


def _high(state: MagnitudeCounts, grain: StoredGrain) -> MagnitudeCounts:
    work, found = tiles(grain.models + WORK_ROWS), bins()
    held = variance_high(grain.bits, grain.shift, found, work, high_tables())
    return state.note((grain.tensor, grain.span.start), [histogram(found, held)])


def _low(reduction: LowBits) -> Fold:
    (place,) = reduction.places

    def fold(state: MagnitudeCounts, grain: StoredGrain) -> MagnitudeCounts:
        found, held = bins(), 0
        if isinstance(place, ThresholdBin):
            work, table = tiles(grain.models + WORK_ROWS), low_tables(1)[0]
            held = variance_low(grain.bits, grain.shift, np.uint32(place.bin), found, work, table)
        return state.note((grain.tensor, grain.span.start), [histogram(found, held)])

    return fold


def _equal(reduction: EqualBefore) -> Fold:
    threshold = np.float32(reduction.cuts[0].threshold)

    def fold(state: Any, grain: StoredGrain) -> Any:
        work = tiles(grain.models + WORK_ROWS)
        found = int(variance_equal(grain.bits, grain.shift, threshold, work))
        return (*state, ((grain.tensor, grain.span.start), (found,)))

    return fold


def energy_folder(reduction: DeltaEnergy) -> FoldKernel | None:
    """The kernel for the energy of what was selected."""
    selected = reduction.values
    if not isinstance(selected, Selected):
        return None

    def fold(state: Energies, grain: StoredGrain) -> Energies:
        limits = _threshold_and_spare(selected.cut, grain)
        work, sums = tiles(grain.models + WORK_ROWS), lanes(grain.models)
        energies(grain.bits, grain.shift, *limits, state, work, sums)
        return state

    return FoldKernel(fold, any_order=False)


def selecting(selection: Selection) -> Combine:
    """SCE's arithmetic."""
    cut, found = selection
    share = np.array(shares(found), np.float32)

    def combine(grain: StoredGrain, out: Bits) -> bool:
        limits = _threshold_and_spare(cut, grain)
        return bool(
            selected_mean(
                grain.bits, grain.shift, *limits, share, out, shift_of(out),
                tiles(grain.models + _SELECTING_ROWS),
            )
        )  # fmt: skip

    return combine


def _threshold_and_spare(
    cut: Cut | None, grain: StoredGrain
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """What the kernels call ``cut`` and ``spare``."""
    thresholds = [] if cut is None else [cut.threshold]
    spare = _UNLIMITED
    if cut is not None and cut.spare is not None:
        spare = cut.spare - cut.ties[grain.tensor, grain.span.start].before
    return np.array(thresholds, np.float32), np.array([spare], np.int64)
