"""How several task vectors become one: a plain sum, or sign election and a disjoint mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from bot.methods.block import Array, Block
from bot.methods.weights import cancels


def summed(deltas: Sequence[Array], weight: Sequence[float], *, normalize: bool) -> Array:
    """``sum_i(w_i * d_i)``, divided by ``sum_i(w_i)`` with ``normalize``.

    Weights that cancel are not divided by: an analogy (``+1, -1``) is a sum on purpose.
    """
    mixed: Array = reduce(add, (delta * w for delta, w in zip(deltas, weight, strict=True)))
    if normalize and not cancels(weight):
        return mixed / math.fsum(weight)
    return mixed


def elected(
    x: Block, deltas: Sequence[Array], weight: Sequence[float], *, normalize: bool
) -> Array:
    """Sign election and disjoint merge (TIES, section 3, steps 2 and 3), on weighted deltas.

    The elected sign of an element is that of ``sum_i(w_i * d_i)``, plus where the sum is zero.
    Only ``w_i * d_i`` of that sign are added up; zeros never agree. With ``normalize`` the sum is
    divided by the sum of the weights that took part, unless that is zero.
    """
    weighted = [delta * w for delta, w in zip(deltas, weight, strict=True)]
    positive = reduce(add, weighted) >= 0
    agree = [((d > 0) & positive) | ((d < 0) & ~positive) for d in weighted]
    nothing = x.xp.zeros_like(weighted[0])
    where = x.xp.where
    mixed: Array = reduce(
        add, (where(yes, d, nothing) for yes, d in zip(agree, weighted, strict=True))
    )
    if not normalize:
        return mixed
    shares = (where(yes, nothing + w, nothing) for yes, w in zip(agree, weight, strict=True))
    divisor = reduce(add, shares)
    average: Array = mixed / where(divisor == 0, nothing + 1, divisor)
    return average
