"""DARE: drop elements of task vectors at random and rescale the rest (Yu et al. 2023)."""

from __future__ import annotations

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import merge_method
from bot.methods.core.shared_parameters import (
    EVERYTHING,
    Density,
    DropRescale,
    Lambda,
    Normalize,
    Unused,
    Weight,
)
from bot.methods.operators.random_drop import Drop, drop_ratio, dropped
from bot.methods.operators.sign_election import elected, summed
from bot.methods.operators.sparsify import Scales


@merge_method(
    "dare_linear",
    title="DARE (linear)",
    paper="https://arxiv.org/abs/2311.03099",
    base="required",
    stats={"scale": lambda p: drop_ratio(Drop(p.density), p.rescale)},
    stochastic=True,
)
def dare_linear(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    normalize: Normalize = False,
    rescale: DropRescale = "l1",
    lambda_: Lambda = 1.0,
    int8_mask: Unused = False,
    scale: Scales | None,
) -> Array:
    """Drop and rescale, then add (Yu et al. 2023, section 3).

    Every element of ``d_i = x_i - base`` is kept with probability ``density_i``, independently.
    What is kept is scaled to restore the L1 norm of each tensor's ``d_i`` (``rescale: l1``,
    mergekit's rule), or divided by the probability realised (``expectation``, the paper's rule).
    ``out = base + lambda * sum_i(w_i * d_i)``. Elementwise, any shape.
    """
    del int8_mask
    kept = dropped(x, Drop(density), rescale, scale)
    return x.required_base + summed(kept, weight, normalize=normalize) * lambda_


@merge_method(
    "dare_ties",
    title="DARE with TIES",
    paper="https://arxiv.org/abs/2311.03099",
    base="required",
    stats={"scale": lambda p: drop_ratio(Drop(p.density), p.rescale)},
    stochastic=True,
)
def dare_ties(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    normalize: Normalize = False,
    rescale: DropRescale = "l1",
    lambda_: Lambda = 1.0,
    int8_mask: Unused = False,
    scale: Scales | None,
) -> Array:
    """Drop and rescale as ``dare_linear``, then sign election and disjoint merge as in ``ties``.

    Every element of ``d_i = x_i - base`` is kept with probability ``density_i`` and rescaled (by
    the L1 norm, or by the probability: ``expectation``). Per element the sign of ``sum_i(w_i *
    d_i)`` is elected, plus where it is zero; ``m`` is the sum of ``w_i * d_i`` over the models that
    have it, divided by the sum of their weights with ``normalize``; ``out = base + lambda * m``.
    Elementwise, any shape.
    """
    del int8_mask
    kept = dropped(x, Drop(density), rescale, scale)
    return x.required_base + elected(x, kept, weight, normalize=normalize) * lambda_
