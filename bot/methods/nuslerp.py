"""NuSLERP: spherical interpolation of two models or two task vectors."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import Doc, PerModel, merge_method
from bot.methods.operators.sphere_geometry import arcs
from bot.methods.operators.weight_sums import cancels
from bot.methods.reductions.column_gram import ColumnGram, column
from bot.methods.reductions.gram import Gram, Matrix, gram


@merge_method(
    "nuslerp",
    title="NuSLERP",
    paper="https://dl.acm.org/doi/10.1145/325165.325242",
    unit=Unit.ROW,
    base="optional",
    models=(2, 2),
    stats={
        "whole": lambda p: Gram("vectors") if p.nuslerp_flatten else None,
        "columns": lambda p: (
            ColumnGram("vectors") if p.nuslerp_row_wise and not p.nuslerp_flatten else None
        ),
    },
    exact="host class",
)
def nuslerp(
    x: Block,
    *,
    weight: Annotated[PerModel[float], Doc("share of each model")],
    nuslerp_flatten: Annotated[bool, Doc("one angle for the tensor as one vector")] = True,
    nuslerp_row_wise: Annotated[
        bool, Doc("without flatten: one angle per column (true) or per row (false)")
    ] = False,
    whole: Matrix | None,
    columns: Matrix | None,
) -> Array:
    """Spherical interpolation between two models, from a base where there is one.

    ``t = w_2 / (w_1 + w_2)``, one half where the sum is below 1e-8. With a base both ends are
    deltas and ``out = base + arc(d_1, d_2; t)``, else ``out = arc(x_1, x_2; t)``. With ``phi`` the
    angle between its ends, ``arc(a, b; t) = sin((1 - t) phi) / sin(phi) * a + sin(t phi) / sin(phi)
    * b``, and ``(1 - t) * a + t * b`` where they are parallel, zero, or opposite (a cosine up to
    -0.9995). The vectors are the tensor as a whole; or without ``nuslerp_flatten`` its rows (last
    axis); or with ``nuslerp_row_wise`` too its columns (first axis): mergekit's names, which count
    the other way round. Any shape.
    """
    del nuslerp_flatten, nuslerp_row_wise
    t = way(weight)
    first, second = (spread(x, share, columns) for share in arcs(angles(x, whole, columns), t))
    left, right = x.vectors
    turned = left * first + right * second
    out: Array = turned if x.base is None else x.base + turned
    return out


def way(weight: tuple[float, ...]) -> float:
    """How far from the first model to the second."""
    return 0.5 if cancels(weight) else weight[1] / (weight[0] + weight[1])


def angles(x: Block, whole: Matrix | None, columns: Matrix | None) -> Matrix:
    """The Gram matrices that hold: the tensor's, every column's, or every row's of this block."""
    if whole is not None:
        return whole
    return gram(x.vectors, axis=-1) if columns is None else columns


def spread(x: Block, share: Matrix, columns: Matrix | None) -> Array | float:
    """Coefficients brought to the elements they belong to."""
    if share.ndim == 0:
        return float(share)
    single: Array = share.astype(np.float32)
    return single[:, None] if columns is None else single[column(x)].reshape(x.models[0].shape)
