"""NearSwap: move every element towards the other model by at most t."""

from __future__ import annotations

from typing import Annotated

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, Range, merge_method


@merge_method(
    "nearswap",
    title="NearSwap",
    paper="https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001",
    base="required",
    models=(1, 1),
)
def nearswap(
    x: Block, *, t: Annotated[float, Range(0), Doc("greatest change to any element")]
) -> Array:
    """Moves every element towards the other model by at most t.

    ``out = base + clip(x - base, -t, t)``; where the two are within t, x itself. Elementwise, any
    shape.
    """
    (other,), (delta,) = x.models, x.deltas
    moved: Array = x.xp.where(abs(delta) <= t, other, x.required_base + delta.clip(-t, t))
    return moved
