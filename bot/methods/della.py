"""DELLA: drop elements of task vectors at random, small magnitudes first (Deep et al. 2024)."""

from __future__ import annotations

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import each, merge_method
from bot.methods.core.shared_parameters import (
    EVERYTHING,
    Density,
    DropRescale,
    Epsilon,
    Lambda,
    Normalize,
    Unused,
    Weight,
)
from bot.methods.operators.random_drop import drop_ratio, dropped, mag_prune
from bot.methods.operators.sign_election import elected, summed
from bot.methods.operators.sparsify import Scales


@merge_method(
    "della_linear",
    title="DELLA (linear)",
    paper="https://arxiv.org/abs/2406.11617",
    unit=Unit.ROW,
    base="required",
    stats={"scale": lambda p: drop_ratio(mag_prune(p.density, p.epsilon), p.rescale)},
    check=lambda p: mag_prune(p.density, p.epsilon),
    stochastic=True,
)
def della_linear(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    epsilon: Epsilon = each(0.15),  # noqa: B008 - a constant
    normalize: Normalize = False,
    rescale: DropRescale = "l1",
    lambda_: Lambda = 1.0,
    int8_mask: Unused = False,
    scale: Scales | None,
) -> Array:
    """Magnitude-ranked drop, then add (Deep et al. 2024, section 3).

    In each row of n elements (a 1-d tensor is one row) the element of rank r, counted from the
    smallest magnitude of ``d_i = x_i - base``, is kept with probability
    ``density_i - epsilon_i + 2 * epsilon_i * r / (n - 1)``; all must lie inside (0, 1), unless
    density is 1 or 0 and everything or nothing is kept, whatever epsilon. What is kept is scaled
    to the tensor's L1 norm (``rescale: l1``, mergekit's rule) or divided by each element's
    probability (``expectation``, the paper's rule). ``out = base + lambda * sum_i(w_i * d_i)``.
    By rows (last axis); any shape.

    Raises:
        PlanError: a probability outside (0, 1).
    """
    del int8_mask
    kept = dropped(x, mag_prune(density, epsilon), rescale, scale)
    return x.origin + summed(kept, weight, normalize=normalize) * lambda_


@merge_method(
    "della",
    title="DELLA",
    paper="https://arxiv.org/abs/2406.11617",
    unit=Unit.ROW,
    base="required",
    stats={"scale": lambda p: drop_ratio(mag_prune(p.density, p.epsilon), p.rescale)},
    check=lambda p: mag_prune(p.density, p.epsilon),
    stochastic=True,
)
def della(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    epsilon: Epsilon = each(0.15),  # noqa: B008 - a constant
    normalize: Normalize = True,
    rescale: DropRescale = "l1",
    lambda_: Lambda = 1.0,
    int8_mask: Unused = False,
    scale: Scales | None,
) -> Array:
    """Drop as ``della_linear``, then sign election and disjoint merge as in ``ties``.

    In each row of n elements that of rank r, by magnitude of ``d_i = x_i - base`` upwards, is kept
    with probability ``density_i - epsilon_i + 2 * epsilon_i * r / (n - 1)`` and rescaled; with
    density 1 or 0 everything or nothing is kept, else all of these must lie inside (0, 1). Per
    element the sign of ``sum_i(w_i * d_i)`` is elected, plus where it is zero; ``m`` is the sum of
    ``w_i * d_i`` over the models that have it, divided by the sum of their weights with
    ``normalize``; ``out = base + lambda * m``. By rows (last axis); any shape.

    Raises:
        PlanError: a probability outside (0, 1).
    """
    del int8_mask
    kept = dropped(x, mag_prune(density, epsilon), rescale, scale)
    return x.origin + elected(x, kept, weight, normalize=normalize) * lambda_
