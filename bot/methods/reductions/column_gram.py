"""Dot products along the first axis: one per column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Block
from bot.methods.reductions.gram import Gram, Matrix, Of


def column(block: Block) -> npt.NDArray[np.int64]:
    """For every element of a block, flat: its place in the tensor without the first axis."""
    rows = block.shape[0] if block.shape else 1
    width = max(block.span.elements // max(rows, 1), 1)
    return np.arange(block.span.start, block.span.stop) % width


@dataclass(frozen=True)
class ColumnGram:
    """The Gram matrix of every column (all but the first axis flattened).

    State and statistic: float64 (n, n, columns).
    """

    of: Of
    scope: Literal["tensor"] = "tensor"

    def empty(self, spec: TensorSpec, models: int, /) -> Matrix:
        """Nothing summed."""
        columns = max(spec.elements // (spec.shape[0] or 1), 1) if spec.shape else 1
        count = models + (self.of == "all")
        return np.zeros((count, count, columns))

    def update(self, state: Matrix, block: Block) -> Matrix:
        """Add a block's products."""
        where, columns = column(block), state.shape[-1]
        vectors = [vector.reshape(-1) for vector in Gram(self.of).vectors(block)]
        for i, left in enumerate(vectors):
            for j, right in enumerate(vectors):
                products = np.multiply(left, right, dtype=np.float64)
                state[i, j] += np.bincount(where, products, minlength=columns)
        return state

    def merge(self, left: Matrix, right: Matrix) -> Matrix:
        """Add the sums."""
        return left + right

    def finish(self, state: Matrix) -> Matrix:
        """The matrices."""
        return state
