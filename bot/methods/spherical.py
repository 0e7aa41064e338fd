"""Averages along great circles."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bot.errors import PlanError, Problem
from bot.methods.averages import weighted_sum
from bot.methods.block import Array, Block, Unit
from bot.methods.reductions.columns import ColumnGram, column
from bot.methods.reductions.gram import Gram, Matrix, gram
from bot.methods.registry import Doc, PerModel, Range, merge_method
from bot.methods.sphere import Sphere, arcs
from bot.methods.weights import cancels, total

SLERP_COLLINEAR = 0.9995
"""The cosine from which slerp is linear, as mergekit has it."""


@merge_method(
    "slerp",
    title="SLERP",
    paper="https://dl.acm.org/doi/10.1145/325165.325242",
    base="required",
    models=(1, 1),
    stats={"products": lambda _: Gram("all")},
    exact="host class",
)
def slerp(
    x: Block,
    *,
    t: Annotated[float, Doc("0 is the base, 1 the other model")],
    products: Matrix,
) -> Array:
    """Spherical interpolation from the base to the other model (Shoemake 1985).

    Over the tensor as one vector: ``phi = arccos(<a, b> / (|a| |b|))`` in float64, then
    ``out = sin((1 - t) phi) / sin(phi) * a + sin(t phi) / sin(phi) * b``. Where ``|cos phi|`` is at
    least 0.9995, or a vector is zero: ``(1 - t) * a + t * b``. Any shape.
    """
    first, second = arcs(products, t, straight=SLERP_COLLINEAR)
    return weighted_sum((x.origin, *x.models), (float(first), float(second)))


@merge_method(
    "nuslerp",
    title="NuSLERP",
    paper="https://dl.acm.org/doi/10.1145/325165.325242",
    unit=Unit.ROW,
    base="optional",
    models=(2, 2),
    stats={
        "whole": lambda p: Gram("moved") if p.nuslerp_flatten else None,
        "columns": lambda p: (
            ColumnGram("moved") if p.nuslerp_row_wise and not p.nuslerp_flatten else None
        ),
    },
    exact="host class",
)
def nuslerp(
    x: Block,
    *,
    weight: Annotated[PerModel[float], Doc("share of each model")],
    nuslerp_flatten: Annotated[bool, Doc("one angle for the tensor as one vector")] = True,
    nuslerp_row_wise: Annotated[
        bool, Doc("without flatten: one angle per column (true) or per row (false)")
    ] = False,
    whole: Matrix | None,
    columns: Matrix | None,
) -> Array:
    """Spherical interpolation between two models, from a base where there is one.

    ``t = w_2 / (w_1 + w_2)``, one half where the sum is below 1e-8. With a base both ends are
    deltas and ``out = base + arc(d_1, d_2; t)``, else ``out = arc(x_1, x_2; t)``. With ``phi`` the
    angle between its ends, ``arc(a, b; t) = sin((1 - t) phi) / sin(phi) * a + sin(t phi) / sin(phi)
    * b``, and ``(1 - t) * a + t * b`` where they are parallel, zero, or opposite (a cosine up to
    -0.9995). The vectors are the tensor as a whole; or without ``nuslerp_flatten`` its rows (last
    axis); or with ``nuslerp_row_wise`` too its columns (first axis): mergekit's names, which count
    the other way round. Any shape.
    """
    del nuslerp_flatten, nuslerp_row_wise
    t = way(weight)
    first, second = (spread(x, share, columns) for share in arcs(angles(x, whole, columns), t))
    left, right = x.moved
    turned = left * first + right * second
    out: Array = turned if x.base is None else x.base + turned
    return out


def way(weight: tuple[float, ...]) -> float:
    """How far from the first model to the second."""
    return 0.5 if cancels(weight) else weight[1] / (weight[0] + weight[1])


def angles(x: Block, whole: Matrix | None, columns: Matrix | None) -> Matrix:
    """The Gram matrices that hold: the tensor's, every column's, or every row's of this block."""
    if whole is not None:
        return whole
    return gram(x.moved, axis=-1) if columns is None else columns


def spread(x: Block, share: Matrix, columns: Matrix | None) -> Array | float:
    """Coefficients brought to the elements they belong to."""
    if share.ndim == 0:
        return float(share)
    single: Array = share.astype(np.float32)
    return single[:, None] if columns is None else single[column(x)].reshape(x.models[0].shape)


@merge_method(
    "multislerp",
    title="Multi-SLERP",
    paper="https://goddard.blog/posts/multislerp-wow-what-a-cool-idea",
    base="optional",
    stats={"products": lambda _: Gram("moved")},
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
    mixed = weighted_sum(x.moved, around(products, shares, eps, log_map=log_map))
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


def frechet_mean(sphere: Sphere, weights: list[float], steps: int, tol: float) -> Matrix:
    """Coefficients of the unit vector at which the weighted tangents cancel."""
    mean: Matrix = np.array(weights) @ sphere.directions
    length = sphere.length(mean)
    apart = length < tol or length == 0  # directions that cancel have no mean one
    at = sphere.directions[int(np.argmax(weights))] if apart else mean / length
    for _ in range(steps):
        step = sphere.logarithm(at, weights)
        if sphere.length(step) < tol:
            break
        at = sphere.exponential(at, step)
    return at
