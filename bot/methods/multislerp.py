"""Multi-SLERP: any number of models interpolated on a hypersphere."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bot.errors import PlanError, Problem
from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, PerModel, Range, merge_method
from bot.methods.linear import weighted_sum
from bot.methods.operators.sphere_geometry import Sphere
from bot.methods.operators.weight_sums import total
from bot.methods.reductions.gram import Gram, Matrix


@merge_method(
    "multislerp",
    title="Multi-SLERP",
    paper="https://goddard.blog/posts/multislerp-wow-what-a-cool-idea",
    base="optional",
    stats={"products": lambda _: Gram("vectors")},
    check=lambda p: total(p.weight) if p.normalize_weights else None,
    exact="host class",
    symmetric=True,
)
def multislerp(
    x: Block,
    *,
    weight: Annotated[PerModel[float], Doc("share of each model")],
    normalize_weights: Annotated[bool, Doc("divide the weights by their sum")] = True,
    eps: Annotated[
        float, Range(0), Doc("a mean direction shorter than this does not exist")
    ] = 1e-8,
    log_map: Annotated[bool, Doc("take one step towards the barycentre on the sphere")] = False,
    products: Matrix,
) -> Array:
    """Interpolates any number of models on a hypersphere, around a base where there is one.

    With ``u_i = v_i / |v_i|``, v the models or their deltas, over the tensor as one vector:
    ``m = sum_i(w_i u_i) / |sum_i(w_i u_i)|`` and ``out = (base +) m * sum_i(w_i |v_i|)``. With
    ``log_map``, m is moved by ``Exp_m(sum_i(w_i Log_m(u_i)))`` first. Without it, the tangent step
    of the original is zero at m, so leaving it out changes nothing. Two vectors without a mean
    direction are averaged; one model is returned as it is. Any shape.

    Raises:
        PlanError: the weights add up to zero, or the directions cancel.
    """
    shares = [w / total(weight) for w in weight] if normalize_weights else list(weight)
    if len(shares) == 1:
        return x.models[0]
    mixed = weighted_sum(x.vectors, around(products, shares, eps, log_map=log_map))
    return mixed if x.base is None else x.base + mixed


def around(
    products: Matrix, shares: list[float], eps: float, *, log_map: bool
) -> tuple[float, ...]:
    """The coefficients of models, or deltas, in their average direction at their average length."""
    sphere = Sphere(products)
    mean = np.array(shares) @ sphere.directions
    if sphere.length(mean) <= eps:
        return tuple(_balanced(sphere, shares).tolist())
    mean = mean / sphere.length(mean)
    if log_map:
        mean = sphere.exponential(mean, sphere.logarithm(mean, shares))
    return tuple((mean * float(np.dot(shares, sphere.lengths))).tolist())


def _balanced(sphere: Sphere, shares: list[float]) -> Matrix:
    """The coefficients where there is no mean direction."""
    if len(shares) == 2 or not sphere.lengths.any():
        return np.array(shares)
    raise PlanError(
        [
            Problem(
                message="multislerp: the weighted directions of the models cancel",
                hint="use other weights, or another merge method",
            )
        ]
    )
