"""Karcher mean: the point on the sphere with the least squared angle to all models."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, Range, merge_method
from bot.methods.linear import weighted_sum
from bot.methods.operators.sphere_geometry import Sphere
from bot.methods.reductions.gram import Gram, Matrix


@merge_method(
    "karcher",
    title="Karcher mean",
    paper="https://arxiv.org/abs/2603.04972",
    base="none",
    stats={"products": lambda _: Gram("models")},
    exact="host class",
    symmetric=True,
)
def karcher(
    x: Block,
    *,
    max_iter: Annotated[int, Range(0), Doc("greatest number of steps")] = 10,
    tol: Annotated[float, Range(0), Doc("length of the step at which to stop")] = 1e-5,
    products: Matrix,
) -> Array:
    """The point on the sphere with the least squared angle to all models, all counting alike.

    Over the tensor as one vector, ``u_i = x_i / |x_i|`` (zero vectors left out): from the mean
    direction, ``u <- Exp_u(mean_i(Log_u(u_i)))`` until the step is below tol, in float64; ``out =
    u * mean_i(|x_i|)``, zero vectors counted in this mean. A listed base model counts like any
    other. Unique where all directions lie within 90 degrees of one another. Any shape.
    """
    shares = towards_all(products, max_iter, tol)
    return x.models[0] if shares is None else weighted_sum(x.models, shares)


def towards_all(products: Matrix, steps: int, tol: float) -> tuple[float, ...] | None:
    """The models' coefficients in their Karcher mean; None where it is simply the first model."""
    sphere = Sphere(products)
    there = sphere.lengths > 0
    if len(products) == 1 or not there.any():
        return None
    weights = (there / there.sum()).tolist()
    direction = frechet_mean(sphere, weights, steps, tol)
    return tuple((direction * sphere.lengths.mean()).tolist())


ROUNDING = 1e-7
"""A mean of unit directions that is shorter is rounding: the square of its length is a sum of
products near 1 in float64, whose error of a few 1e-16 becomes 1e-8 in the root."""


def frechet_mean(sphere: Sphere, weights: list[float], steps: int, tol: float) -> Matrix:
    """Coefficients of the unit vector at which the weighted tangents cancel."""
    mean: Matrix = np.array(weights) @ sphere.directions
    length = sphere.length(mean)
    apart = length < max(tol, ROUNDING)  # directions that cancel have no mean direction
    at = sphere.directions[int(np.argmax(weights))] if apart else mean / length
    for _ in range(steps):
        step = sphere.logarithm(at, weights)
        if sphere.length(step) < tol:
            break
        at = sphere.exponential(at, step)
    return at
