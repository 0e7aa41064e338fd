"""Model Breadcrumbs: task vectors without their outliers and their noise."""

from __future__ import annotations

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import each, merge_method
from bot.methods.core.shared_parameters import (
    EVERYTHING,
    Density,
    Gamma,
    Lambda,
    Normalize,
    TrimRescale,
    Unused,
    Weight,
)
from bot.methods.operators import sparsify
from bot.methods.operators.sign_election import elected, summed
from bot.methods.operators.sparsify import Band, Cuts, Scales, rescaled


@merge_method(
    "breadcrumbs",
    title="Model Breadcrumbs",
    paper="https://arxiv.org/abs/2312.06795",
    base="required",
    stats={
        "band": lambda p: sparsify.band(p.density, p.gamma),
        "scale": lambda p: sparsify.band_ratio(sparsify.band(p.density, p.gamma), p.rescale),
    },
    symmetric=True,
)
def breadcrumbs(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    gamma: Gamma = each(0.01),  # noqa: B008 - a constant
    normalize: Normalize = False,
    rescale: TrimRescale = "none",
    lambda_: Lambda = 1.0,
    int8_mask: Unused = False,
    band: Cuts | None,
    scale: Scales | None,
) -> Array:
    """Adds task vectors without their outliers and their noise (Davari & Belilovsky 2023).

    Of the n magnitudes of each ``d_i = x_i - base``, per tensor: leave out the
    ``floor(gamma_i * n)`` largest, keep the next ``floor(density_i * n)``, zero the rest. Where the
    two shares exceed the whole, fewer of the largest are left out. Then task arithmetic:
    ``out = base + lambda * sum_i(w_i * d_i)``. Elementwise after the edges are known; any shape.
    """
    del density, gamma, rescale, int8_mask  # band and scale were made from them
    kept = rescaled(x.deltas if band is None else Band(band)(x), scale)
    return x.required_base + summed(kept, weight, normalize=normalize) * lambda_


@merge_method(
    "breadcrumbs_ties",
    title="Model Breadcrumbs with TIES",
    paper="https://arxiv.org/abs/2312.06795",
    base="required",
    stats={
        "band": lambda p: sparsify.band(p.density, p.gamma),
        "scale": lambda p: sparsify.band_ratio(sparsify.band(p.density, p.gamma), p.rescale),
    },
    symmetric=True,
)
def breadcrumbs_ties(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    gamma: Gamma = each(0.01),  # noqa: B008 - a constant
    normalize: Normalize = False,
    rescale: TrimRescale = "none",
    lambda_: Lambda = 1.0,
    int8_mask: Unused = False,
    band: Cuts | None,
    scale: Scales | None,
) -> Array:
    """The band of ``breadcrumbs``, then sign election and disjoint merge as in ``ties``.

    Of each ``d_i = x_i - base`` the ``floor(gamma_i * n)`` largest magnitudes are left out and the
    next ``floor(density_i * n)`` kept. Per element the sign of ``sum_i(w_i * d_i)`` is elected,
    plus where it is zero; ``m`` is the sum of ``w_i * d_i`` over the models that have it, divided
    by the sum of their weights with ``normalize``; ``out = base + lambda * m``. Elementwise after
    the edges are known; any shape.
    """
    del density, gamma, rescale, int8_mask  # band and scale were made from them
    kept = rescaled(x.deltas if band is None else Band(band)(x), scale)
    return x.required_base + elected(x, kept, weight, normalize=normalize) * lambda_
