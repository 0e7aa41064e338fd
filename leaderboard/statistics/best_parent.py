"""A merge against the best of its parents, which is chosen on the same items.

The question is about theta, the smallest of the differences "merge minus parent" over all parents.
"Better" is an intersection-union test (Berger, 1982): every difference must be above 0, each at the
full level. "Worse" needs one difference below 0, and the parent with the highest score is chosen
because its difference is the smallest; so the test is of the largest of several statistics, for
parents that may all be equally good.

Under that hypothesis the normal deviates of the differences share the merge's own score. They are
taken as equally correlated, so that the chance that the largest (or the smallest) of them exceeds a
value is one integral over the shared part (Dunnett, JASA 50, 1955). Parents that are clearly not
the best one are left out (moment selection of Andrews and Soares, Econometrica 78, 2010).

The 95 % interval is every value of theta that is not rejected. Its lower end belongs to the test of
"better" and errs with a probability below 2.5 % where several parents are equally good; what that
leaves of 4.5 % goes to the upper end, and 0.5 % are set aside for parents that were left out by
mistake (Romano, Shaikh and Wolf, Econometrica 82, 2014). 0 lies outside the interval exactly where
one of the two p values is below 0.05. With one parent this is Student's t interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import optimize, special, stats

from leaderboard.statistics.intervals import LEVEL
from leaderboard.statistics.macro_estimate import MacroEstimate

GRID = np.linspace(-12.0, 12.0, 2_401)
DENSITY = stats.norm.pdf(GRID) * (GRID[1] - GRID[0])
SPENT = 0.9
"""Share of the level that is spent where several parents may be the best one."""
MOST_CORRELATED = 0.99
"""Above this the integral over the shared part needs a finer grid than `GRID`."""


@dataclass(frozen=True, kw_only=True)
class AgainstBest:
    """What may be said of the smallest of several differences.

    Args:
        differences: merge minus parent, of every parent.
        contenders: which of them may be the best parent, by place; at least one.
        correlation: of the contenders' differences with each other.
    """

    differences: Sequence[MacroEstimate]
    contenders: Sequence[int]
    correlation: float

    @cached_property
    def p_better(self) -> float:
        """Of "better than every parent", two-sided."""
        return max(min(1.0, 2 * one.tails.greater) for one in self.differences)

    @cached_property
    def p_worse(self) -> float:
        """Of "worse than the best parent", two-sided."""
        largest = max(-self.differences[place].z for place in self.contenders)
        upper = largest_exceeds(largest, len(self.contenders), self.correlation)
        return _two_sided(upper, len(self.contenders), self.correlation)

    @property
    def p(self) -> float:
        """Below 0.05 exactly where 0 lies outside the 95 % interval."""
        return min(self.p_better, self.p_worse)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the smallest difference."""
        count = len(self.contenders)
        below = float(stats.norm.ppf((1 + LEVEL) / 2))
        above = _upper_deviate(count, self.correlation)
        low = min(one.end(-below) for one in self.differences)
        return low, min(self.differences[place].end(above) for place in self.contenders)


def largest_exceeds(z: float, count: int, correlation: float) -> float:
    """The chance that the largest of ``count`` equally correlated normal deviates exceeds ``z``."""
    return float(DENSITY @ -special.expm1(count * special.log_ndtr(_rest(z, correlation))))


def smallest_exceeds(z: float, count: int, correlation: float) -> float:
    """The chance that the smallest of ``count`` equally correlated deviates exceeds ``z``."""
    return float(DENSITY @ np.exp(count * special.log_ndtr(-_rest(z, correlation))))


def contenders(against_first: Sequence[MacroEstimate], items: int) -> list[int]:
    """The parents that may be the best one.

    Args:
        against_first: the parent of the highest score minus each parent, itself included.
        items: how many items the scores are of; the more, the further apart is clearly apart.

    Returns:
        Places of those that lie within sqrt(ln items) standard errors.
    """
    bound = math.sqrt(math.log(max(items, 3)))
    return [
        place
        for place, gap in enumerate(against_first)
        if gap.delta <= bound * gap.stderr or gap.delta == 0
    ]


def correlation(first: MacroEstimate, second: MacroEstimate, between: MacroEstimate) -> float:
    """The correlation of two differences, from their errors and that of their own difference."""
    if first.stderr <= 0 or second.stderr <= 0:
        return 0.0
    shared = first.stderr**2 + second.stderr**2 - between.stderr**2
    return shared / (2 * first.stderr * second.stderr)


def _rest(z: float, correlation: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What is left for each deviate to exceed, by the value of the shared part."""
    shared = min(max(correlation, 0.0), MOST_CORRELATED)
    return (z - math.sqrt(shared) * GRID) / math.sqrt(1 - shared)


def _two_sided(upper: float, count: int, correlation: float) -> float:
    """The level whose interval first excludes 0 from above, for an upper tail of ``upper``."""
    if count == 1:
        return min(1.0, 2 * upper)

    def left_over(level: float) -> float:
        return _upper_share(level, count, correlation) - upper

    if upper <= 0 or left_over(1.0) <= 0:
        return 0.0 if upper <= 0 else 1.0
    return float(optimize.brentq(left_over, upper, 1.0, xtol=1e-300, rtol=1e-9))


def _upper_share(level: float, count: int, correlation: float) -> float:
    """What the lower end leaves of a level for the upper end."""
    lower = smallest_exceeds(float(stats.norm.isf(level / 2)), count, correlation)
    return (SPENT if count > 1 else 1.0) * level - lower


@lru_cache(maxsize=4_096)
def _upper_deviate(count: int, correlation: float) -> float:
    share = _upper_share(1 - LEVEL, count, correlation)
    return float(
        optimize.brentq(lambda z: largest_exceeds(z, count, correlation) - share, 0.0, 10.0)
    )
