"""Paired differences of one task or several: the data, and the sign-flip test of one task.

A stratum is one task's differences, summed per independent unit (an item, or a cluster of items
that share a passage). The macro difference is the weighted sum of the strata's means.

On one task the test flips the sign of each unit's sum; it needs no assumption but symmetry under
the hypothesis. Over several tasks flipping signs treats a merge that gains on one task and loses on
another as noise, and so finds true gains in 27 % of trials where the test of `macro_estimate` finds
them in 34 %, at a level of 2.6 % instead of 5 % (tasks with true differences of +0.3, -0.3 and 0,
200 items each).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from leaderboard.sample_scores import Floats, Integers
from leaderboard.statistics.data_seed import generator
from leaderboard.statistics.intervals import LEVEL, cluster_sums
from leaderboard.statistics.mcnemar import Tails

DRAWS = 9_999
ROUNDING = 1e-12
BLOCK = 4_000_000
"""Random numbers held at a time."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """One task's differences.

    Args:
        differences: float64[n], merge minus parent, item by item.
        clusters: int64[n] from 0, or None where items are independent.
        binary: both models are right or wrong on every item.
        weight: the task's weight in the macro difference, normalisation included.
    """

    differences: Floats
    clusters: Integers | None = None
    binary: bool = False
    weight: float = 1.0

    @cached_property
    def units(self) -> tuple[Floats, Floats]:
        """Sum and size per independent unit."""
        return cluster_sums(self.differences, self.clusters)

    @property
    def smoothed(self) -> bool:
        """Whether items are independent and right or wrong, so that half an item is added."""
        return self.binary and self.clusters is None


class SignFlip(NamedTuple):
    """A sign-flip test and the interval of the differences that it does not reject."""

    tails: Tails
    low: float
    high: float


def macro_difference(strata: Sequence[Stratum]) -> float:
    """The weighted sum of the mean differences."""
    return math.fsum(stratum.weight * float(stratum.differences.mean()) for stratum in strata)


def sign_flip(stratum: Stratum, *, draws: int = DRAWS, level: float = LEVEL) -> SignFlip:
    """The Monte Carlo sign-flip test of "the mean difference is 0", with its interval.

    A flip of some units' signs reaches at least the observed sum exactly where the mean of the
    flipped units is at most 0. So the means of random subsets of the units hold both the p value
    and, as their order statistics, the interval of every mean that is not rejected (Hartigan,
    "Using subsample values as typical values", JASA 64, 1969). 0 lies outside the 95 % interval
    exactly where p is below 0.05. The observed arrangement counts itself, (1 + #) / (B + 1), so p
    is never 0.
    """
    means = _subset_means(stratum, draws)
    unflipped = draws - means.size  # draws that flip nothing reach every value
    slack = ROUNDING * (1 + float(np.abs(stratum.differences).max()))
    at_most = unflipped + int((means <= slack).sum())
    at_least = unflipped + int((means >= -slack).sum())
    rank = math.ceil(round((1 - level) / 2 * (draws + 1), 9)) - 1 - unflipped
    low, high = (float(means[rank - 1]), float(means[-rank])) if rank >= 1 else (-1.0, 1.0)
    tails = Tails((1 + at_most) / (draws + 1), (1 + at_least) / (draws + 1))
    return SignFlip(tails, low - slack, high + slack)


def _subset_means(stratum: Stratum, draws: int) -> Floats:
    """Sorted means of the differences over random subsets of the units; empty ones left out."""
    random = generator("sign-flip", [stratum.differences])
    sums, sizes = stratum.units
    block = max(1, BLOCK // sums.size)
    parts: list[Floats] = []
    for start in range(0, draws, block):
        chosen = random.integers(0, 2, (min(block, draws - start), sums.size), np.int8)
        picked = chosen.astype(np.float64)
        totals, items = picked @ sums, picked @ sizes
        parts.append(totals[items > 0] / items[items > 0])
    return np.sort(np.concatenate(parts))
