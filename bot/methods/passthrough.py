"""Copies of one model."""

from __future__ import annotations

from typing import Annotated

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, PerModel, each, merge_method


@merge_method(
    "passthrough",
    title="Passthrough",
    paper="https://arxiv.org/abs/2312.15166",
    base="none",
    models=(1, 1),
)
def passthrough(
    x: Block,
    *,
    scale: Annotated[PerModel[float], Doc("what every element is multiplied by")] = each(1.0),  # noqa: B008 - a constant
) -> Array:
    """Takes tensors over from one model, ``out = scale * x``; with scale 1 byte for byte.

    Elementwise, any shape. Slices stacked by passthrough make depth-wise merges
    (SOLAR's depth up-scaling, Goliath).
    """
    return x.models[0] * scale[0]
