"""All dot products between a tensor's models (or their deltas), in float64.

Norms, cosines, angles and Karcher means of whole tensors are functions of this small matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Array, Block
from bot.methods.reductions.ordered_sum import lane_sum

Of = Literal["all", "models", "deltas", "vectors"]
Matrix = npt.NDArray[np.float64]


def dot(left: Array, right: Array, axis: int | None = None) -> Matrix:
    """Dot products over an axis (None: over everything), products and sums in float64.

    Summed by lanes or by NumPy rather than BLAS, whose order depends on the number of threads.
    """
    products = np.multiply(left, right, dtype=np.float64)
    sums: Matrix = np.asarray(lane_sum(products) if axis is None else products.sum(axis=axis))
    return sums


def gram(vectors: tuple[Array, ...], axis: int | None = None) -> Matrix:
    """``g[i, j] = <v_i, v_j>``, over an axis where one is given: (n, n, ...)."""
    rows = [[dot(a, b, axis) for b in vectors[: i + 1]] for i, a in enumerate(vectors)]
    count = len(vectors)
    return np.array([[rows[max(i, j)][min(i, j)] for j in range(count)] for i in range(count)])


@dataclass(frozen=True)
class Gram:
    """The Gram matrix of base and models ("all"), of "models", or of "deltas".

    "vectors" means the deltas where there is a base, else the models. State and statistic: float64
    (n, n), the base first where it is included.
    """

    of: Of
    scope: Literal["tensor", "model"] = "tensor"

    def vectors(self, block: Block) -> tuple[Array, ...]:
        """What is multiplied."""
        match self.of:
            case "all":
                return (block.required_base, *block.models)
            case "models":
                return block.models
            case "deltas":
                return block.deltas
            case "vectors":
                return block.vectors

    def empty(self, _spec: TensorSpec, models: int, /) -> Matrix:
        """Nothing summed."""
        count = models + (self.of == "all")
        return np.zeros((count, count))

    def update(self, state: Matrix, block: Block) -> Matrix:
        """Add a block's dot products."""
        return state + gram(self.vectors(block))

    def merge(self, left: Matrix, right: Matrix) -> Matrix:
        """Add the sums."""
        return left + right

    def finish(self, state: Matrix) -> Matrix:
        """The matrix."""
        return state
