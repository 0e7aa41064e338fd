"""Random drops of delta elements and their rescaling: the operators of DARE and DELLA."""

from __future__ import annotations

from dataclasses import dataclass

from bot.methods.core.method_input import Array, Block, Draws
from bot.methods.operators.sparsify import Deltas, Scales, rescaled, wants_l1
from bot.methods.reductions.l1_ratio import L1Ratio


@dataclass(frozen=True)
class Drop:
    """Keeps every element of model i's delta with probability ``density[i]`` (DARE, section 3)."""

    density: tuple[float, ...]

    def mask(self, x: Block, model: int) -> Array:
        """1 where an element is kept, else 0; flat."""
        return draws_of(x).keep(model, self.density[model], x.span)

    def realised(self, x: Block, model: int) -> float | Array:
        """The probability of being kept, one for all or one for each."""
        return draws_of(x).realised(self.density[model])

    def __call__(self, x: Block) -> Deltas:
        """The sparsified deltas, not rescaled."""
        return tuple(self._sparsified(x, model) for model in range(len(self.density)))

    def unbiased(self, x: Block) -> Deltas:
        """The sparsified deltas over the probability of being kept; their mean is the delta."""
        return tuple(
            kept / _divisor(x, self.realised(x, model)) if 0 < density < 1 else kept
            for model, (kept, density) in enumerate(zip(self(x), self.density, strict=True))
        )

    def _sparsified(self, x: Block, model: int) -> Array:
        delta, density = x.deltas[model], self.density[model]
        if density >= 1:
            return delta
        if density <= 0:
            zeros: Array = x.xp.zeros_like(delta)
            return zeros
        return delta * self.mask(x, model).reshape(delta.shape)


def _divisor(x: Block, realised: float | Array) -> float | Array:
    """A probability too small for the bits is realised as 0: nothing is kept, divide by 1."""
    if isinstance(realised, float):
        return realised or 1.0
    divisor: Array = x.xp.where(realised == 0, 1 + 0 * realised, realised)
    return divisor


def drop_ratio(drop: Drop, rescale: str) -> L1Ratio | None:
    """The L1 ratio of a drop; none where it is not wanted or nothing is dropped."""
    return L1Ratio(drop) if wants_l1(rescale) and min(drop.density) < 1 else None


def dropped(x: Block, drop: Drop, rescale: str, scale: Scales | None) -> Deltas:
    """The sparsified deltas, rescaled as asked."""
    return drop.unbiased(x) if rescale == "expectation" else rescaled(drop(x), scale)


def draws_of(x: Block) -> Draws:
    """The random numbers of a block.

    Raises:
        ValueError: it has none.
    """
    if x.draws is None:
        raise ValueError("a method with random masks needs draws")
    return x.draws
