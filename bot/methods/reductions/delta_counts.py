"""Counts and energies of deltas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Array, Block
from bot.methods.reductions.ordered_sum import lane_sum

Counts = npt.NDArray[np.int64]
Energies = npt.NDArray[np.float64]
Values = Callable[[Block], tuple[Array, ...]]


def active(x: Block, epsilon: float) -> list[Array]:
    """Boolean masks of the elements that a model moved by more than epsilon."""
    return [abs(delta) > epsilon for delta in x.deltas]


@dataclass(frozen=True)
class SharedAndUnique:
    """Per model: active elements that another model moved too, and those that none did.

    State and statistic: int64 (2, models), shared and unique.
    """

    epsilon: float
    scope: Literal["tensor", "model"]

    def empty(self, _spec: TensorSpec, models: int, /) -> Counts:
        """Nothing counted."""
        return np.zeros((2, models), np.int64)

    def update(self, state: Counts, block: Block) -> Counts:
        """Count a block."""
        masks = np.array(active(block, self.epsilon))
        together = masks.sum(axis=0)
        for model, mask in enumerate(masks):
            alone = int((mask & (together == 1)).sum())
            state[:, model] += int(mask.sum()) - alone, alone
        return state

    def merge(self, left: Counts, right: Counts) -> Counts:
        """Add the counts."""
        return left + right

    def finish(self, state: Counts) -> Counts:
        """The counts."""
        return state


@dataclass(frozen=True)
class DeltaEnergy:
    """``sum(v ** 2)`` of every row of values. State and statistic: float64 (rows,)."""

    values: Values
    scope: Literal["tensor", "model"] = "tensor"

    def empty(self, _spec: TensorSpec, models: int, /) -> Energies:
        """Nothing summed."""
        return np.zeros(models)

    def update(self, state: Energies, block: Block) -> Energies:
        """Add a block's squares."""
        squares = [lane_sum(np.square(row, dtype=np.float64)) for row in self.values(block)]
        return state + np.array(squares, np.float64)

    def merge(self, left: Energies, right: Energies) -> Energies:
        """Add the sums."""
        return left + right

    def finish(self, state: Energies) -> Energies:
        """The sums."""
        return state
