"""How a task vector is sparsified before it is merged, and rescaled.

A sparsification is a function of a block that returns every model's delta with some elements
zeroed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.methods.core.method_input import Array, Block
from bot.methods.reductions.compose import Then
from bot.methods.reductions.kth_magnitude import Cut, KthMagnitude, Scope, Target, Top
from bot.methods.reductions.l1_ratio import L1Ratio

Deltas: TypeAlias = tuple[Array, ...]
Cuts: TypeAlias = tuple[Cut, ...]
Scales: TypeAlias = tuple[float, ...]
L1OrNone = Literal["true", "false", "l1", "none"]
Rescale = Literal["true", "false", "l1", "expectation", "none"]
"""The rescaling after it. ``true`` is mergekit's rule, ``l1``; ``false`` is ``none``."""


def wants_l1(rescale: str) -> bool:
    """Whether the L1 norm is restored."""
    return rescale in {"true", "l1"}


def rescaled(deltas: Deltas, scale: Scales | None) -> Deltas:
    """Every delta times its scale; None leaves them as they are."""
    if scale is None:
        return deltas
    return tuple(delta * factor for delta, factor in zip(deltas, scale, strict=True))


@dataclass(frozen=True)
class Trim:
    """Keeps the k largest magnitudes (TIES, section 3, step 1)."""

    cuts: Cuts

    def __call__(self, x: Block) -> Deltas:
        """The trimmed deltas."""
        return tuple(
            _where(x, cut.keeps(abs(delta), x), delta)
            for delta, cut in zip(x.deltas, self.cuts, strict=True)
        )


@dataclass(frozen=True)
class Band:
    """Keeps a band of magnitudes: inside the outer cuts, outside the inner ones (Breadcrumbs).

    ``cuts`` holds the outer and the inner cut of each model in turn.
    """

    cuts: Cuts

    def __call__(self, x: Block) -> Deltas:
        """The deltas with both tails zeroed."""
        pairs = zip(x.deltas, self.cuts[::2], self.cuts[1::2], strict=True)
        return tuple(
            _where(x, outer.keeps(abs(delta), x) & ~inner.keeps(abs(delta), x), delta)
            for delta, outer, inner in pairs
        )


@dataclass(frozen=True)
class BandEdge:
    """How many of n elements lie above the band's lower (outer) or upper (inner) edge.

    The band holds ``floor(density * n)`` elements below the ``floor(gamma * n)`` largest; where
    there are not enough, fewer of the largest are left out.
    """

    density: float
    gamma: float
    inner: bool

    def __call__(self, elements: int) -> int:
        """k for a tensor of that many elements."""
        kept = int(min(max(self.density, 0), 1) * elements)
        below = max(0, elements - kept - int(self.gamma * elements))
        return elements - below - (kept if self.inner else 0)


def kth_magnitude(density: Sequence[float], scope: Scope) -> KthMagnitude | None:
    """The reduction that trimming needs; none when every model keeps everything."""
    if all(share >= 1 for share in density):
        return None
    return KthMagnitude(tuple(Target(i, Top(share)) for i, share in enumerate(density)), scope)


def band(density: Sequence[float], gamma: Sequence[float]) -> KthMagnitude | None:
    """The reduction that Breadcrumbs needs; none when every model keeps everything."""
    if all(share >= 1 for share in density):
        return None
    return KthMagnitude(
        tuple(
            Target(model, BandEdge(share, top, inner))
            for model, (share, top) in enumerate(zip(density, gamma, strict=True))
            for inner in (False, True)
        )
    )


def trim_ratio(first: KthMagnitude | None, rescale: str) -> Then | None:
    """The L1 ratio of a trim; none where it is not wanted."""
    return Then(first, _ratio_of_trim) if first and wants_l1(rescale) else None


def band_ratio(first: KthMagnitude | None, rescale: str) -> Then | None:
    """The L1 ratio of a band; none where it is not wanted."""
    return Then(first, _ratio_of_band) if first and wants_l1(rescale) else None


def _ratio_of_trim(cuts: Cuts) -> L1Ratio:
    return L1Ratio(Trim(cuts))


def _ratio_of_band(cuts: Cuts) -> L1Ratio:
    return L1Ratio(Band(cuts))


def _where(x: Block, mask: Array, delta: Array) -> Array:
    kept: Array = x.xp.where(mask, delta, x.xp.zeros_like(delta))
    return kept
