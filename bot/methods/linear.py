"""Averages of weights."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, PerModel, merge_method
from bot.methods.operators.weight_sums import total


@merge_method(
    "linear",
    title="Linear",
    paper="https://arxiv.org/abs/2203.05482",
    base="none",
    check=lambda p: total(p.weight) if p.normalize else None,
    symmetric=True,
)
def linear(
    x: Block,
    *,
    weight: Annotated[PerModel[float], Doc("share of each model")],
    normalize: Annotated[bool, Doc("divide by the sum of the weights")] = True,
) -> Array:
    """Weighted average of the models (model soups, Wortsman et al. 2022).

    ``out = sum_i(w_i * x_i) / sum_i(w_i)``; without ``normalize`` the plain sum. Elementwise, any
    shape. A listed base model is averaged like any other.

    Raises:
        PlanError: ``normalize`` with weights that add up to zero.
    """
    mixed = weighted_sum(x.models, weight)
    return mixed / total(weight) if normalize else mixed


def weighted_sum(arrays: tuple[Array, ...], weights: tuple[float, ...]) -> Array:
    """``sum_i(w_i * x_i)`` in the order given, multiply and add rounded separately."""
    return reduce(add, (array * weight for array, weight in zip(arrays, weights, strict=True)))
