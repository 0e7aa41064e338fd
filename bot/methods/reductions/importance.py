"""Quartiles of how much every change of one model matters, and the row divergences behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Array, Block
from bot.methods.operators.row_divergence import divergences
from bot.methods.reductions.compose import WithKnown
from bot.methods.reductions.kth_magnitude import Cut, KthMagnitude, Target
from bot.methods.reductions.kth_magnitude import Values as Ranked
from bot.methods.reductions.magnitude_histogram import MagnitudeCounts

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Importance:
    """``|x - base|`` times the divergence of its row; these are given for the whole tensor."""

    divergences: Rows

    def __call__(self, x: Block) -> tuple[Array, ...]:
        """One float32 array, of the block's shape."""
        return (abs(x.deltas[0]) * self.of_rows(x.span.start, *x.models[0].shape)[:, None],)

    def of_rows(self, start: int, rows: int, width: int) -> Rows:
        """The divergences of some rows, the first of which begins at element ``start``."""
        first = start // max(width, 1)
        return self.divergences[first : first + rows]


def _rank(share: float) -> Callable[[int], int]:
    return lambda elements: elements - int(share * (elements - 1))


QUARTILES = tuple(Target(0, _rank(share)) for share in (0.25, 0.5, 0.75))


def ranking(values: Ranked) -> KthMagnitude:
    """The reduction that finds the quartiles of such values; which elements are equal is no use."""
    return KthMagnitude(QUARTILES, values=values, ties=False)


@dataclass
class ImportanceBySlot:
    """Histograms of the importance, and the divergences of the blocks' rows, in order."""

    tally: MagnitudeCounts
    rows: list[Rows]


class Quartiles(NamedTuple):
    """The statistic: divergences of all rows, and the lower quartile, median and upper quartile."""

    divergences: Rows
    cuts: tuple[Cut, Cut, Cut]


@dataclass(frozen=True)
class ImportanceQuartiles:
    """First pass: every row's divergence, and with it histograms of the importance.

    For blocks of whole rows. State: ``ImportanceBySlot``. Statistic: what ``Quartiles`` holds, a
    plain pair.
    """

    scope: Literal["tensor"] = "tensor"

    def empty(self, spec: TensorSpec, models: int, /) -> ImportanceBySlot:
        """Nothing seen."""
        return ImportanceBySlot(ranking(_unknown).empty(spec, models), [])

    def update(self, state: ImportanceBySlot, block: Block) -> ImportanceBySlot:
        """Look at a block."""
        rows = divergences(block.models[0], block.required_base)
        weight = abs(block.deltas[0]) * rows[:, None]
        ranking(lambda _: (weight,)).update(state.tally, block)
        state.rows.append(rows)
        return state

    def merge(self, left: ImportanceBySlot, right: ImportanceBySlot) -> ImportanceBySlot:
        """Left's blocks, then right's; left grows."""
        left.tally.add(right.tally)
        left.rows += right.rows
        return left

    def finish(self, state: ImportanceBySlot) -> WithKnown | tuple[Rows, Any]:
        """The pair, or what is still to be counted to know the quartiles."""
        rows = np.concatenate([np.empty(0, np.float32), *state.rows])
        return WithKnown.of(rows, ranking(Importance(rows)).finish(state.tally))


def _unknown(_block: Block) -> tuple[Array, ...]:
    """Importance before the divergences are known."""
    return ()
