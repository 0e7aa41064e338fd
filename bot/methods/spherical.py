"""Averages along great circles."""

from __future__ import annotations

import math
from typing import Annotated

from bot.methods.averages import weighted_sum
from bot.methods.block import Array, Block
from bot.methods.reductions.gram import Gram, Matrix
from bot.methods.registry import Doc, merge_method

COLLINEAR = 0.9995
"""Above this cosine, either sign, interpolation is linear."""
SHORT = 1e-8
"""A vector below this length has no direction."""


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
    ``out = sin((1 - t) phi) / sin(phi) * a + sin(t phi) / sin(phi) * b``. Where ``|cos phi|`` is
    above 0.9995, or a vector is shorter than 1e-8: ``(1 - t) * a + t * b``. Any shape.
    """
    return weighted_sum((x.origin, *x.models), arc(products, t))


def arc(products: Matrix, t: float) -> tuple[float, float]:
    """The coefficients of both ends, from the 2 by 2 Gram matrix of the ends."""
    lengths = math.sqrt(products[0, 0]), math.sqrt(products[1, 1])
    if min(lengths) < SHORT:
        return 1 - t, t
    cosine = products[0, 1] / (lengths[0] * lengths[1])
    if abs(cosine) > COLLINEAR:
        return 1 - t, t
    angle = math.acos(cosine)
    return math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
