"""Arcee Fusion: take over the changes whose importance stands out."""

from __future__ import annotations

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import merge_method
from bot.methods.reductions.importance import Importance, ImportanceQuartiles, Quartiles
from bot.methods.reductions.kth_magnitude import Cut


@merge_method(
    "arcee_fusion",
    title="Arcee Fusion",
    paper="https://arcee.ai",
    unit=Unit.ROW,
    base="required",
    models=(1, 1),
    stats={"quartiles": lambda _: ImportanceQuartiles()},
)
def arcee_fusion(x: Block, *, quartiles: Quartiles) -> Array:
    """Takes over the changes that stand out.

    An element's importance is ``|x - base|`` times the divergence ``KL(softmax(x) ||
    softmax(base))`` of its row (a 1-d tensor is one row). Where it reaches ``median + 1.5 * (upper
    - lower quartile)`` of the tensor, ``out = x``, else ``out = base``. Quartiles are exact for any
    size; any shape.
    """
    divergences, cuts = quartiles
    (weight,) = Importance(divergences)(x)
    kept: Array = x.xp.where(weight >= edge(cuts), x.models[0], x.required_base)
    return kept


def edge(cuts: tuple[Cut, Cut, Cut]) -> float:
    """The importance from which a change stands out."""
    lower, median, upper = (cut.threshold for cut in cuts)
    return median + 1.5 * (upper - lower)
