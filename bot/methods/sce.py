"""SCE: select by variance, weigh by energy, erase minority signs (Wan et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Annotated, NamedTuple

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, Range, merge_method
from bot.methods.core.shared_parameters import Unused
from bot.methods.operators.sign_election import agreeing, disjoint
from bot.methods.reductions.compose import Then, WithKnown
from bot.methods.reductions.delta_counts import DeltaEnergy, Energies
from bot.methods.reductions.kth_magnitude import Cut, KthMagnitude, Target


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


def _selection(share: float) -> Then | WithKnown:
    """The reduction whose statistic is a ``Selection``, as a plain pair."""
    if share >= 1:
        return _energies_of(None)
    largest = KthMagnitude((Target(0, Share(share), nonzero=True),), values=variance)
    return Then(largest, lambda cuts: _energies_of(cuts[0]))


def _energies_of(cut: Cut | None) -> WithKnown:
    return WithKnown(cut, DeltaEnergy(Selected(cut)))


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
    return x.required_base + disjoint(x, weighted, share, agreeing(kept), normalize=True)


def shares(energies: Energies) -> list[float]:
    """What every model weighs: its part of the energy, or all alike where there is none."""
    total = float(energies.sum())
    return [float(e) / total if total > 0 else 1 / len(energies) for e in energies]
