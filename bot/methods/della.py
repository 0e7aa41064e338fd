"""DELLA: drop elements of task vectors at random, small magnitudes first (Deep et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import PlanError, Problem
from bot.methods.core.method_input import Array, Block, Bounds, Unit
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
from bot.methods.operators.random_drop import Drop, draws_of, drop_ratio, dropped
from bot.methods.operators.row_ranks import row_ranks
from bot.methods.operators.sign_election import elected, summed
from bot.methods.operators.sparsify import Scales


@dataclass(frozen=True)
class MagPrune(Drop):
    """Keeps larger elements more often (DELLA, section 3.1).

    Within a row of n elements, rank r counts magnitudes upwards from 0, equal ones by index; the
    probability rises linearly from ``density - epsilon`` to ``density + epsilon``. A row of one
    element is kept with probability ``density``.
    """

    epsilon: tuple[float, ...]

    def bounds(self, model: int) -> Bounds:
        """The probabilities of a row's smallest and largest element."""
        return self.density[model] - self.epsilon[model], self.density[model] + self.epsilon[model]

    def is_even(self, model: int, width: int) -> bool:
        """Whether rank makes no difference."""
        low, high = self.bounds(model)
        return width < 2 or low >= high

    def mask(self, x: Block, model: int) -> Array:
        """1 where an element is kept, else 0; flat."""
        width = x.deltas[model].shape[-1]
        if self.is_even(model, width):
            return super().mask(x, model)
        kept, rival, left = draws_of(x).rank_sampling(model, self.bounds(model), x.span, width)
        size = abs(x.deltas[model]).reshape(-1)
        against = size[rival]
        mask: Array = kept | (against < size) | ((against == size) & left)
        return mask

    def realised(self, x: Block, model: int) -> float | Array:
        """The probability of being kept, one for all or, float32, one for each."""
        delta = x.deltas[model]
        width = delta.shape[-1]
        if self.is_even(model, width):
            return super().realised(x, model)
        low, high = self.bounds(model)
        rising: Array = row_ranks(abs(delta)) * ((high - low) / (width - 1)) + low
        return rising


def mag_prune(density: tuple[float, ...], epsilon: tuple[float, ...]) -> MagPrune:
    """A checked MagPrune.

    Raises:
        PlanError: a probability would leave (0, 1), though some are kept and some dropped.
    """
    for share, half in zip(density, epsilon, strict=True):
        if 0 < share < 1 and not 0 < share - half <= share + half < 1:
            message = f"density {share:g} with epsilon {half:g} gives probabilities outside (0, 1)"
            hint = "choose epsilon below both density and 1 - density, or density 0 or 1"
            raise PlanError([Problem(message=message, hint=hint)])
    return MagPrune(density, epsilon)


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
    return x.required_base + summed(kept, weight, normalize=normalize) * lambda_


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
    return x.required_base + elected(x, kept, weight, normalize=normalize) * lambda_
