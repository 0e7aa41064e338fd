"""Arcee Fusion's reductions and arithmetic as calls of its kernels."""

from __future__ import annotations

import numpy as np

from bot.engine.kernels.arcee_fusion_kernel import importance_high, importance_low, take_over
from bot.engine.kernels.float_bits import TILE
from bot.engine.kernels.magnitude_histogram_kernel import move
from bot.engine.kernels.scratch import bins, high_tables, histogram, low_tables, scratch, tiles
from bot.engine.kernels.stored_grain import Bits, Combine, Fold, FoldKernel, StoredGrain, shift_of
from bot.methods.arcee_fusion import edge
from bot.methods.operators.row_divergence import LANES
from bot.methods.reductions.importance import (
    Importance,
    ImportanceBySlot,
    ImportanceQuartiles,
    Quartiles,
    Rows,
)
from bot.methods.reductions.kth_magnitude import LowBits, ThresholdBin
from bot.methods.reductions.magnitude_histogram import MagnitudeCounts

_NO_BIN = 0xFFFFFFFF


def importance_folder(reduction: ImportanceQuartiles | LowBits) -> FoldKernel | None:
    """The kernel for either pass of the quartiles; None for other values than importance."""
    match reduction:
        case ImportanceQuartiles():
            return FoldKernel(_high, any_order=True)
        case LowBits(values=Importance() as importance):
            return FoldKernel(_low(reduction, importance), any_order=True)
        case _:
            return None


def _inputs(grain: StoredGrain) -> tuple[Bits, Bits, np.uint32, int]:
    return grain.row(0), grain.row(1), grain.shift, grain.width


def _high(state: ImportanceBySlot, grain: StoredGrain) -> ImportanceBySlot:
    rows = np.empty(grain.elements // grain.width, np.float32)
    width = grain.width
    found = bins()
    held = importance_high(
        *_inputs(grain), rows, found,
        scratch("rows", (3, width), np.uint32), scratch("powers", (2, width), np.float64),
        scratch("tiles", (2, TILE), np.float64), scratch("few lanes", (LANES,), np.float64),
        high_tables(),
    )  # fmt: skip
    state.tally.note((grain.tensor, grain.span.start), [histogram(found, held)])
    state.rows.append(rows)
    return state


def _low(reduction: LowBits, importance: Importance) -> Fold:
    wanted = [
        place.bin if isinstance(place, ThresholdBin) else _NO_BIN for place in reduction.places
    ]
    places = np.array(wanted, np.uint32)

    def fold(state: MagnitudeCounts, grain: StoredGrain) -> MagnitudeCounts:
        tables, found = low_tables(len(places)), bins()
        work = scratch("tiles", (1, TILE), np.uint32)
        importance_low(*_inputs(grain), _rows(importance, grain), places, work, tables)
        rows = [histogram(found, move(table, found)) for table in tables]
        return state.note((grain.tensor, grain.span.start), rows)

    return fold


def _rows(importance: Importance, grain: StoredGrain) -> Rows:
    return importance.of_rows(grain.span.start, grain.elements // grain.width, grain.width)


def taking_over(quartiles: Quartiles) -> Combine:
    """Arcee Fusion's arithmetic."""
    divergences, cuts = quartiles
    importance, least = Importance(divergences), np.float32(edge(cuts))

    def combine(grain: StoredGrain, out: Bits) -> bool:
        rows = _rows(importance, grain)
        return bool(take_over(*_inputs(grain), rows, least, out, shift_of(out), tiles(1)))

    return combine
