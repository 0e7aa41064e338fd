"""How much of the deltas' L1 norm a sparsifier left over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Array, Block
from bot.methods.reductions.ordered_sum import lane_sum

Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class L1Ratio:
    """``sum|d| / sum|sparsify(d)|`` for every model; 1 where nothing was left.

    State: float64 (2, models), before and after. Statistic: a tuple of floats.
    """

    sparsify: Callable[[Block], tuple[Array, ...]]
    scope: Literal["tensor", "model"] = "tensor"

    def empty(self, _spec: TensorSpec, models: int, /) -> Sums:
        """Nothing summed."""
        return np.zeros((2, models))

    def update(self, state: Sums, block: Block) -> Sums:
        """Add a block's magnitudes."""
        for model, (before, after) in enumerate(
            zip(block.deltas, self.sparsify(block), strict=True)
        ):
            state[0, model] += lane_sum(abs(before).astype(np.float64))
            state[1, model] += lane_sum(abs(after).astype(np.float64))
        return state

    def merge(self, left: Sums, right: Sums) -> Sums:
        """Add the sums."""
        return left + right

    def finish(self, state: Sums) -> tuple[float, ...]:
        """The ratios."""
        return tuple(
            float(before / after) if after > 0 else 1.0 for before, after in state.T.tolist()
        )
