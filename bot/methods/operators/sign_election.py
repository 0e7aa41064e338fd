"""How several task vectors become one: a plain sum, or sign election and a disjoint mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from bot.methods.core.method_input import Array, Block
from bot.methods.operators.weight_sums import added, cancels


def summed(deltas: Sequence[Array], weight: Sequence[float], *, normalize: bool) -> Array:
    """``sum_i(w_i * d_i)``, divided by ``sum_i(w_i)`` with ``normalize``.

    Weights that cancel are not divided by: an analogy (``+1, -1``) is a sum on purpose. Nor are
    weights whose sum is below 1e-8, as in mergekit.
    """
    mixed: Array = reduce(add, (delta * w for delta, w in zip(deltas, weight, strict=True)))
    if normalize and not cancels(weight):
        return mixed / added(weight)
    return mixed


def elected(
    x: Block, deltas: Sequence[Array], weight: Sequence[float], *, normalize: bool
) -> Array:
    """Sign election and disjoint merge (TIES, section 3, steps 2 and 3), on weighted deltas.

    The elected sign of an element is that of ``sum_i(w_i * d_i)``. With ``normalize`` the sum of
    what agrees is divided by the sum of the weights that took part.
    """
    weighted = [delta * w for delta, w in zip(deltas, weight, strict=True)]
    return disjoint(x, weighted, weight, agreeing(weighted), normalize=normalize)


def agreeing(votes: Sequence[Array]) -> list[Array]:
    """Which votes have the sign of their sum, plus where the sum is zero; zeros never agree."""
    positive = reduce(add, votes) >= 0
    return [((vote > 0) & positive) | ((vote < 0) & ~positive) for vote in votes]


def disjoint(
    x: Block,
    weighted: Sequence[Array],
    weight: Sequence[float],
    agree: Sequence[Array],
    *,
    normalize: bool,
) -> Array:
    """The sum of what agrees, divided with ``normalize`` by the agreeing weights' sum.

    Where that sum is zero nothing is divided.
    """
    nothing, where = x.xp.zeros_like(weighted[0]), x.xp.where
    kept = (where(yes, delta, nothing) for yes, delta in zip(agree, weighted, strict=True))
    mixed: Array = reduce(add, kept)
    if not normalize:
        return mixed
    shares = (where(yes, nothing + w, nothing) for yes, w in zip(agree, weight, strict=True))
    divisor = reduce(add, shares)
    average: Array = mixed / where(divisor == 0, nothing + 1, divisor)
    return average
