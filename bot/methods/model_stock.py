"""Model Stock."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated

import numpy as np

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import Doc, merge_method
from bot.methods.linear import weighted_sum
from bot.methods.reductions.gram import Gram, Matrix, gram


def mean_cosine(products: Matrix) -> Matrix:
    """The mean over pairs of the cosine between vectors, from their Gram matrix (n, n, ...).

    A vector of length zero has cosine zero with everything.
    """
    norms = np.sqrt(np.einsum("ii...->i...", products))
    cosines = []
    for i, j in combinations(range(len(products)), 2):
        product = norms[i] * norms[j]
        defined = np.where(product > 0, product, 1.0)
        cosines.append(np.clip(products[i, j] / defined, -1, 1))
    mean: Matrix = np.mean(cosines, axis=0)
    return mean


def ratio(cosine: Matrix, models: int) -> Matrix:
    """``t = n c / (1 + (n - 1) c)`` with the cosine clamped to [0, 1] (section 4.2)."""
    c = np.clip(cosine, 0, 1)
    t: Matrix = models * c / (1 + (models - 1) * c)
    return t


@merge_method(
    "model_stock",
    title="Model Stock",
    paper="https://arxiv.org/abs/2403.19522",
    unit=Unit.ROW,
    base="required",
    models=(2, None),
    stats={"products": lambda p: None if p.filter_wise else Gram("deltas")},
    symmetric=True,
)
def model_stock(
    x: Block,
    *,
    filter_wise: Annotated[bool, Doc("one ratio per row instead of one per tensor")] = False,
    products: Matrix | None,
) -> Array:
    """Moves from the base towards the mean of the fine-tunes, as far as they agree (Jang et al.).

    ``c`` is the mean over pairs of the cosine between ``d_i = x_i - base``, per tensor or, with
    ``filter_wise``, per row (a 1-d tensor is one row); ``t = n c / (1 + (n - 1) c)`` with c clamped
    to [0, 1]; ``out = t * mean_i(x_i) + (1 - t) * base``. Cosines in float64; any shape.
    """
    del filter_wise  # products is None with it
    average = weighted_sum(x.models, (1.0,) * len(x.models)) / len(x.models)
    toward, stay = shares(x, products)
    out: Array = average * toward + x.required_base * stay
    return out


def shares(x: Block, products: Matrix | None) -> tuple[Array | float, Array | float]:
    """The shares of the mean and of the base: numbers, or float32 columns with one per row."""
    count = len(x.models)
    if products is not None:
        t = float(ratio(mean_cosine(products), count))
        return t, 1 - t
    rows = ratio(mean_cosine(gram(x.deltas, axis=-1)), count)[:, None]
    return rows.astype(np.float32), (1 - rows).astype(np.float32)
