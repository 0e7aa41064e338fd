"""Task arithmetic and the methods that trim by magnitude: TIES and Breadcrumbs."""

from __future__ import annotations

from bot.methods import sparsify
from bot.methods.block import Array, Block
from bot.methods.consensus import elected, summed
from bot.methods.knobs import (
    EVERYTHING,
    Density,
    Gamma,
    Lambda,
    Normalize,
    ScopeChoice,
    TrimRescale,
    Unused,
    UnusedShare,
    Weight,
)
from bot.methods.registry import each, merge_method
from bot.methods.sparsify import Band, Cuts, Scales, Trim, rescaled


@merge_method(
    "task_arithmetic",
    title="Task arithmetic",
    paper="https://arxiv.org/abs/2212.04089",
    base="required",
    symmetric=True,
)
def task_arithmetic(
    x: Block,
    *,
    weight: Weight,
    normalize: Normalize = False,
    lambda_: Lambda = 1.0,
    density: UnusedShare = EVERYTHING,
    rescale: Unused = False,
    int8_mask: Unused = False,
) -> Array:
    """Adds weighted task vectors to the base (Ilharco et al. 2022).

    ``out = base + lambda * sum_i(w_i * (x_i - base))``; with ``normalize`` the sum is divided by
    ``sum_i(w_i)``, unless that is zero. Elementwise, any shape. A negative weight forgets a task;
    ``+1, -1, +1`` over three models makes an analogy.
    """
    del density, rescale, int8_mask
    return x.origin + summed(x.deltas, weight, normalize=normalize) * lambda_


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
    return x.origin + elected(x, kept, weight, normalize=normalize) * lambda_


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
    return x.origin + summed(kept, weight, normalize=normalize) * lambda_


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
    return x.origin + elected(x, kept, weight, normalize=normalize) * lambda_
