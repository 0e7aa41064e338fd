"""SLERP: spherical interpolation between two models (Shoemake 1985)."""

from __future__ import annotations

from typing import Annotated

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, merge_method
from bot.methods.linear import weighted_sum
from bot.methods.operators.sphere_geometry import arcs
from bot.methods.reductions.gram import Gram, Matrix

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
    return weighted_sum((x.required_base, *x.models), (float(first), float(second)))
