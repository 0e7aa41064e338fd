"""Methods that take over part of one model's difference from the base."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bot.methods.block import Array, Block, Unit
from bot.methods.reductions.kth_magnitude import Cut, KthMagnitude, Target
from bot.methods.registry import Doc, Range, merge_method


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
    moved: Array = x.xp.where(abs(delta) <= t, other, x.origin + delta.clip(-t, t))
    return moved


FLOOR = 1e-8
"""Added to every probability before the divergence is taken."""


def importance(x: Block) -> tuple[Array, ...]:
    """``|x - base|`` times its row's divergence ``KL(softmax(x) || softmax(base))``, float32.

    The divergence is taken in float64, with 1e-8 added to every probability, and is never below 0.
    """
    p, q = _softmax(x.models[0]) + FLOOR, _softmax(x.origin) + FLOOR
    divergence = np.maximum((p * np.log(p / q)).sum(axis=-1, keepdims=True), 0)
    return (abs(x.deltas[0]) * divergence.astype(np.float32),)


def _softmax(rows: Array) -> Array:
    powers = np.exp(rows.astype(np.float64) - rows.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _upper_quartile(elements: int) -> int:
    return elements - int(0.75 * (elements - 1))


def _median(elements: int) -> int:
    return elements - int(0.5 * (elements - 1))


def _lower_quartile(elements: int) -> int:
    return elements - int(0.25 * (elements - 1))


QUARTILES = KthMagnitude(
    (Target(0, _lower_quartile), Target(0, _median), Target(0, _upper_quartile)),
    values=importance,
)


@merge_method(
    "arcee_fusion",
    title="Arcee Fusion",
    paper="https://arcee.ai",
    unit=Unit.ROW,
    base="required",
    models=(1, 1),
    space="deltas",
    stats={"quartiles": lambda _: QUARTILES},
    exact="host class",
)
def arcee_fusion(x: Block, *, quartiles: tuple[Cut, Cut, Cut]) -> Array:
    """Takes over the changes that stand out.

    An element's importance is ``|x - base|`` times the divergence ``KL(softmax(x) ||
    softmax(base))`` of its row (a 1-d tensor is one row). Where it reaches ``median + 1.5 * (upper
    - lower quartile)`` of the tensor, ``out = x``, else ``out = base``. Quartiles are exact for any
    size; any shape.
    """
    lower, median, upper = (cut.threshold for cut in quartiles)
    (weight,) = importance(x)
    kept: Array = x.xp.where(weight >= median + 1.5 * (upper - lower), x.models[0], x.origin)
    return kept
