"""Methods that choose elements by how the models differ there: SCE, RAM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Annotated, Literal, NamedTuple

from bot.methods.block import Array, Block
from bot.methods.consensus import agreeing, disjoint
from bot.methods.knobs import Unused
from bot.methods.reductions.chain import Beside, Then
from bot.methods.reductions.counts import Counts, Energies, Energy, SharedAndUnique, active
from bot.methods.reductions.kth_magnitude import Cut, KthMagnitude, Target
from bot.methods.registry import Doc, Range, merge_method


def variance(x: Block) -> tuple[Array, ...]:
    """Population variance of the deltas at every element: one float32 array."""
    count = len(x.deltas)
    mean = reduce(add, x.deltas) / count
    return (reduce(add, ((delta - mean) * (delta - mean) for delta in x.deltas)) / count,)


@dataclass(frozen=True)
class Share:
    """The floor of a share of so many elements."""

    share: float

    def __call__(self, elements: int) -> int:
        """k."""
        return int(self.share * elements)


@dataclass(frozen=True)
class Selected:
    """The deltas where the models' variance is among the largest; None selects all."""

    cut: Cut | None

    def __call__(self, x: Block) -> tuple[Array, ...]:
        """The deltas, zero elsewhere."""
        if self.cut is None:
            return x.deltas
        (spread,) = variance(x)
        chosen = self.cut.keeps(spread, x)
        return tuple(x.xp.where(chosen, delta, x.xp.zeros_like(delta)) for delta in x.deltas)


class Selection(NamedTuple):
    """What SCE selects, and ``sum(d_i ** 2)`` over it for every model."""

    cut: Cut | None
    energies: Energies


def _selection(share: float) -> Then | Beside:
    """The reduction whose statistic is a ``Selection``, as a plain pair."""
    if share >= 1:
        return _energies_of(None)
    largest = KthMagnitude((Target(0, Share(share), nonzero=True),), values=variance)
    return Then(largest, lambda cuts: _energies_of(cuts[0]))


def _energies_of(cut: Cut | None) -> Beside:
    return Beside(cut, Energy(Selected(cut)))


@merge_method(
    "sce",
    title="SCE",
    paper="https://arxiv.org/abs/2408.07990",
    base="required",
    stats={"selection": lambda p: _selection(p.select_topk)},
    symmetric=True,
)
def sce(
    x: Block,
    *,
    select_topk: Annotated[
        float, Range(0, 1), Doc("share of the elements on which models differ that is merged")
    ] = 1.0,
    int8_mask: Unused = False,
    selection: Selection,
) -> Array:
    """Select, calculate, erase (Wan et al. 2024, section 3.3).

    Per tensor, with ``d_i = x_i - base``: keep the ``floor(select_topk * m)`` elements of largest
    variance between models, m being those where it is not zero (equal ones by lowest index); weigh
    models by ``c_i = sum(d_i ** 2) / sum_j(sum(d_j ** 2))``, equally where all are zero; erase what
    disagrees with the sign of ``sum_i(d_i)``. ``out = base + sum(c_i * d_i) / sum(c_i)`` over the
    models that agree. Any shape.
    """
    del select_topk, int8_mask
    cut, energies = selection
    kept, share = Selected(cut)(x), shares(energies)
    weighted = [delta * c for delta, c in zip(kept, share, strict=True)]
    return x.origin + disjoint(x, weighted, share, agreeing(kept), normalize=True)


def shares(energies: Energies) -> list[float]:
    """What every model weighs: its part of the energy, or all alike where there is none."""
    total = float(energies.sum())
    return [float(e) / total if total > 0 else 1 / len(energies) for e in energies]


EpsilonKnob = Annotated[float, Range(0), Doc("a change must be larger than this to count")]
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
def ram(x: Block, *, epsilon: EpsilonKnob = 1e-5) -> Array:
    """Sums changes that one model made alone and averages shared ones.

    With ``d_i = x_i - base`` counted where ``|d_i| > epsilon`` and a(x) models counted at an
    element: ``out = base + sum(d_i) / max(a, 1)``. Elementwise, any shape.
    """
    return x.origin + pooled(x, epsilon, [1.0] * len(x.models))


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
    epsilon: EpsilonKnob = 1e-5,
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
    return x.origin + pooled(x, epsilon, gains(counts, r, alpha))


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
    epsilon: EpsilonKnob = 1e-5,
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
    return x.origin + pooled(x, epsilon, gains(counts, r, alpha))
