"""Random thinning: DARE's even drop and DELLA's drop by rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.errors import PlanError, Problem
from bot.methods.block import Array, Block, Bounds, Draws
from bot.methods.ranks import row_ranks
from bot.methods.reductions.l1_ratio import L1Ratio
from bot.methods.sparsify import Deltas, Scales, rescaled, wants_l1


@dataclass(frozen=True)
class Drop:
    """Keeps every element of model i's delta with probability ``density[i]`` (DARE, section 3)."""

    density: tuple[float, ...]

    def probability(self, _x: Block, model: int) -> float | Array:
        """Of keeping an element."""
        return self.density[model]

    def bounds(self, model: int) -> Bounds:
        """Between what the probabilities lie."""
        return self.density[model], self.density[model]

    def drawn(self, x: Block) -> Iterator[tuple[Array, float | Array]]:
        """Every delta with its dropped elements zeroed, and the probability realised."""
        for model, (delta, density) in enumerate(zip(x.deltas, self.density, strict=True)):
            if density >= 1:
                yield delta, 1.0
            elif density <= 0:
                yield x.xp.zeros_like(delta), 1.0
            else:
                chance = self.probability(x, model)
                mask, realised = _draws(x).keep(model, chance, x.span, self.bounds(model))
                yield delta * mask.reshape(delta.shape), realised

    def __call__(self, x: Block) -> Deltas:
        """The thinned deltas, not rescaled."""
        return tuple(delta for delta, _ in self.drawn(x))

    def unbiased(self, x: Block) -> Deltas:
        """The thinned deltas over the probability of being kept: their expectation is the delta."""
        return tuple(delta / _divisor(x, realised) for delta, realised in self.drawn(x))


@dataclass(frozen=True)
class MagPrune(Drop):
    """Keeps larger elements more often (DELLA, section 3.1).

    Within a row of n elements, rank r counts magnitudes upwards from 0, equal ones by index; the
    probability rises linearly from ``density - epsilon`` to ``density + epsilon``. A row of one
    element is kept with probability ``density``.
    """

    epsilon: tuple[float, ...]

    def bounds(self, model: int) -> Bounds:
        """Between what the probabilities lie."""
        return self.density[model] - self.epsilon[model], self.density[model] + self.epsilon[model]

    def probability(self, x: Block, model: int) -> float | Array:
        """Of keeping an element, float32, of the block's shape."""
        density, epsilon = self.density[model], self.epsilon[model]
        magnitude = abs(x.deltas[model])
        width = magnitude.shape[-1]
        if width < 2 or epsilon == 0:
            return density
        slope = 2 * epsilon / (width - 1)
        rising: Array = row_ranks(magnitude) * slope + (density - epsilon)
        return rising


def _divisor(x: Block, realised: float | Array) -> float | Array:
    """A probability too small for the bits is realised as 0: nothing is kept, divide by 1."""
    if isinstance(realised, float):
        return realised or 1.0
    divisor: Array = x.xp.where(realised == 0, 1 + 0 * realised, realised)
    return divisor


def mag_prune(density: tuple[float, ...], epsilon: tuple[float, ...]) -> MagPrune:
    """A checked MagPrune.

    Raises:
        PlanError: a probability would leave (0, 1).
    """
    for share, half in zip(density, epsilon, strict=True):
        if 0 < share < 1 and not half < min(share, 1 - share):
            message = f"density {share:g} with epsilon {half:g} gives probabilities outside (0, 1)"
            hint = "choose epsilon below both density and 1 - density"
            raise PlanError([Problem(message=message, hint=hint)])
    return MagPrune(density, epsilon)


def drop_ratio(drop: Drop, rescale: str) -> L1Ratio | None:
    """The L1 ratio of a drop; none where it is not wanted or nothing is dropped."""
    return L1Ratio(drop) if wants_l1(rescale) and min(drop.density) < 1 else None


def dropped(x: Block, drop: Drop, rescale: str, scale: Scales | None) -> Deltas:
    """The thinned deltas, rescaled as asked."""
    return drop.unbiased(x) if rescale == "expectation" else rescaled(drop(x), scale)


def _draws(x: Block) -> Draws:
    if x.draws is None:
        raise ValueError("a method with random masks needs draws")
    return x.draws
