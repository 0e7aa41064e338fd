"""RAM and RAM+: average changes that models share, keep those that one model made alone."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated, Literal

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, Range, merge_method
from bot.methods.reductions.delta_counts import Counts, SharedAndUnique, active

EpsilonParam = Annotated[float, Range(0), Doc("a change must be larger than this to count")]
Gain = Annotated[float, Doc("gain per unit of shared over unique changes")]
Limit = Annotated[float, Range(0), Doc("greatest ratio of shared to unique that counts")]
RatioScope = Annotated[Literal["tensor", "model"], Doc("what the ratio counts over")]


@merge_method(
    "ram",
    title="RAM",
    paper="https://arxiv.org/abs/2601.13572",
    base="required",
    symmetric=True,
)
def ram(x: Block, *, epsilon: EpsilonParam = 1e-5) -> Array:
    """Sums changes that one model made alone and averages shared ones.

    With ``d_i = x_i - base`` counted where ``|d_i| > epsilon`` and a(x) models counted at an
    element: ``out = base + sum(d_i) / max(a, 1)``. Elementwise, any shape.
    """
    return x.required_base + pooled(x, epsilon, [1.0] * len(x.models))


def pooled(x: Block, epsilon: float, gains: list[float]) -> Array:
    """Active changes: times the model's gain where it is alone, averaged where it is not."""
    nothing, where = x.xp.zeros_like(x.deltas[0]), x.xp.where
    masks = active(x, epsilon)
    count = reduce(add, (where(mask, nothing + 1, nothing) for mask in masks))
    raised = (
        where(mask, where(count == 1, delta * gain, delta), nothing)
        for mask, delta, gain in zip(masks, x.deltas, gains, strict=True)
    )
    mixed: Array = reduce(add, raised) / where(count > 1, count, nothing + 1)
    return mixed


def gains(counts: Counts, r: float, alpha: float) -> list[float]:
    """``1 + r * min(shared / unique, alpha)`` per model; alpha counts where unique is zero."""
    shared, unique = counts.tolist()
    ratios = [s / u if u else alpha * bool(s) for s, u in zip(shared, unique, strict=True)]
    return [1 + r * min(ratio, alpha) for ratio in ratios]


@merge_method(
    "ramplus_tl",
    title="RAM+ (tensor-local)",
    paper="https://arxiv.org/abs/2601.13572",
    base="required",
    stats={"counts": lambda p: SharedAndUnique(p.epsilon, p.scope)},
    symmetric=True,
)
def ramplus_tl(
    x: Block,
    *,
    r: Gain = 0.1,
    alpha: Limit = 0.2,
    epsilon: EpsilonParam = 1e-5,
    scope: RatioScope = "tensor",
    counts: Counts,
) -> Array:
    """RAM, with what a model changed alone raised by how much it shares.

    ``d_i = x_i - base`` counts where ``|d_i| > epsilon``. Where several models count, ``out = base
    + mean(d_i)`` over them; where model i is alone, ``out = base + d_i * (1 + r * min(rho_i,
    alpha))``, ``rho_i`` being its shared over its unique elements, counted per tensor (mergekit)
    or, with ``scope: model``, over the whole model (the paper). Elementwise after that; any shape.
    """
    del scope
    return x.required_base + pooled(x, epsilon, gains(counts, r, alpha))


@merge_method(
    "ramplus",
    title="RAM+",
    paper="https://arxiv.org/abs/2601.13572",
    base="required",
    stats={"counts": lambda p: SharedAndUnique(p.epsilon, p.scope)},
    symmetric=True,
)
def ramplus(
    x: Block,
    *,
    r: Gain = 0.1,
    alpha: Limit = 0.2,
    epsilon: EpsilonParam = 1e-5,
    scope: RatioScope = "model",
    counts: Counts,
) -> Array:
    """``ramplus_tl`` as the paper has it: the ratio is counted over the whole model.

    ``d_i = x_i - base`` counts where ``|d_i| > epsilon``. Where several models count, ``out = base
    + mean(d_i)`` over them; where model i is alone, ``out = base + d_i * (1 + r * min(rho_i,
    alpha))``, ``rho_i`` being its shared over its unique elements. Elementwise after the counts are
    known; any shape.
    """
    del scope
    return x.required_base + pooled(x, epsilon, gains(counts, r, alpha))
