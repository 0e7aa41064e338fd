"""TIES: trim, elect signs, merge what agrees (Yadav et al. 2023)."""

from __future__ import annotations

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import merge_method
from bot.methods.core.shared_parameters import (
    EVERYTHING,
    Density,
    Lambda,
    Normalize,
    ScopeChoice,
    TrimRescale,
    Unused,
    Weight,
)
from bot.methods.operators import sparsify
from bot.methods.operators.sign_election import elected
from bot.methods.operators.sparsify import Cuts, Scales, Trim, rescaled


@merge_method(
    "ties",
    title="TIES",
    paper="https://arxiv.org/abs/2306.01708",
    base="required",
    stats={
        "kth": lambda p: sparsify.kth_magnitude(p.density, p.scope),
        "scale": lambda p: sparsify.trim_ratio(
            sparsify.kth_magnitude(p.density, p.scope), p.rescale
        ),
    },
    symmetric=True,
)
def ties(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    normalize: Normalize = True,
    rescale: TrimRescale = "none",
    lambda_: Lambda = 1.0,
    scope: ScopeChoice = "tensor",
    int8_mask: Unused = False,
    kth: Cuts | None,
    scale: Scales | None,
) -> Array:
    """Trim, elect sign, disjoint merge (Yadav et al. 2023, section 3).

    1. Of each ``d_i = x_i - base`` keep the ``max(1, floor(density_i * n))`` largest magnitudes;
       equal magnitudes at the threshold are kept by lowest index, so that exactly k survive.
       ``scope: model`` counts over the whole model, as in the paper.
    2. Elect per element the sign of ``sum_i(w_i * d_i)``, plus where it is zero.
    3. ``m = sum(w_i * d_i)`` over the models of that sign, divided by the sum of their weights
       with ``normalize``; ``out = base + lambda * m``.

    Elementwise after the k-th magnitudes are known; any shape.
    """
    del density, scope, rescale, int8_mask  # kth and scale were made from them
    kept = rescaled(x.deltas if kth is None else Trim(kth)(x), scale)
    return x.required_base + elected(x, kept, weight, normalize=normalize) * lambda_
