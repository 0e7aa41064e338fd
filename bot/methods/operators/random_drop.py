"""Random thinning: DARE's even drop and DELLA's drop by rank."""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import PlanError, Problem
from bot.methods.core.method_input import Array, Block, Bounds, Draws
from bot.methods.operators.row_ranks import row_ranks
from bot.methods.operators.sparsify import Deltas, Scales, rescaled, wants_l1
from bot.methods.reductions.l1_ratio import L1Ratio


@dataclass(frozen=True)
class Drop:
    """Keeps every element of model i's delta with probability ``density[i]`` (DARE, section 3)."""

    density: tuple[float, ...]

    def mask(self, x: Block, model: int) -> Array:
        """1 where an element is kept, else 0; flat."""
        return _draws(x).keep(model, self.density[model], x.span)

    def realised(self, x: Block, model: int) -> float | Array:
        """The probability of being kept, one for all or one for each."""
        return _draws(x).realised(self.density[model])

    def __call__(self, x: Block) -> Deltas:
        """The thinned deltas, not rescaled."""
        return tuple(self._thinned(x, model) for model in range(len(self.density)))

    def unbiased(self, x: Block) -> Deltas:
        """The thinned deltas over the probability of being kept: their expectation is the delta."""
        return tuple(
            thinned / _divisor(x, self.realised(x, model)) if 0 < density < 1 else thinned
            for model, (thinned, density) in enumerate(zip(self(x), self.density, strict=True))
        )

    def _thinned(self, x: Block, model: int) -> Array:
        delta, density = x.deltas[model], self.density[model]
        if density >= 1:
            return delta
        if density <= 0:
            zeros: Array = x.xp.zeros_like(delta)
            return zeros
        return delta * self.mask(x, model).reshape(delta.shape)


@dataclass(frozen=True)
class MagPrune(Drop):
    """Keeps larger elements more often (DELLA, section 3.1).

    Within a row of n elements, rank r counts magnitudes upwards from 0, equal ones by index; the
    probability rises linearly from ``density - epsilon`` to ``density + epsilon``. A row of one
    element is kept with probability ``density``.
    """

    epsilon: tuple[float, ...]

    def bounds(self, model: int) -> Bounds:
        """The probabilities of a row's smallest and largest element."""
        return self.density[model] - self.epsilon[model], self.density[model] + self.epsilon[model]

    def is_even(self, model: int, width: int) -> bool:
        """Whether rank makes no difference."""
        low, high = self.bounds(model)
        return width < 2 or low >= high

    def mask(self, x: Block, model: int) -> Array:
        """1 where an element is kept, else 0; flat."""
        width = x.deltas[model].shape[-1]
        if self.is_even(model, width):
            return super().mask(x, model)
        kept, rival, left = _draws(x).rivals(model, self.bounds(model), x.span, width)
        size = abs(x.deltas[model]).reshape(-1)
        against = size[rival]
        mask: Array = kept | (against < size) | ((against == size) & left)
        return mask

    def realised(self, x: Block, model: int) -> float | Array:
        """The probability of being kept, one for all or, float32, one for each."""
        delta = x.deltas[model]
        width = delta.shape[-1]
        if self.is_even(model, width):
            return super().realised(x, model)
        low, high = self.bounds(model)
        rising: Array = row_ranks(abs(delta)) * ((high - low) / (width - 1)) + low
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
        PlanError: a probability would leave (0, 1), though some are kept and some dropped.
    """
    for share, half in zip(density, epsilon, strict=True):
        if 0 < share < 1 and not 0 < share - half <= share + half < 1:
            message = f"density {share:g} with epsilon {half:g} gives probabilities outside (0, 1)"
            hint = "choose epsilon below both density and 1 - density, or density 0 or 1"
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
