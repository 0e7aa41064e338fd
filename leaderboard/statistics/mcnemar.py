"""Right-or-wrong scores of two models on the same independent items.

``b`` items only the first model gets right, ``c`` only the second. McNemar's test in its exact
form (Biometrika 7, 1947), and Tango's score interval of the paired difference (Statistics in
Medicine 17, 1998), which stays honest when few items or none tell the models apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from scipy import optimize, stats

from leaderboard.statistics.intervals import LEVEL


class Tails(NamedTuple):
    """p values against "not greater", "not less" and "equal"."""

    greater: float
    less: float

    @property
    def two_sided(self) -> float:
        """Twice the smaller tail, at most 1."""
        return min(1.0, 2 * min(self.greater, self.less))


def mcnemar_exact(b: int, c: int) -> Tails:
    """The exact test; p is 1 where no item tells the models apart."""
    if b + c == 0:
        return Tails(1.0, 1.0)
    return Tails(
        float(stats.binom.sf(b - 1, b + c, 0.5)),
        float(stats.binom.cdf(b, b + c, 0.5)),
    )


def tango_interval(b: int, c: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The interval of (b - c) / n: all differences that the score test does not reject."""
    z = float(stats.norm.ppf((1 + level) / 2))
    centre = (b - c) / n

    def low_end(delta: float) -> float:
        return _score_statistic(b, c, n, delta) - z

    def high_end(delta: float) -> float:
        return _score_statistic(b, c, n, delta) + z

    return _root(low_end, -1.0, centre), _root(high_end, centre, 1.0)


def mcnemar_interval(b: int, c: int, n: int) -> tuple[float, float]:
    """Tango's interval, widened to hold 0 where the exact test does not reject 0.

    The exact test is the more cautious of the two, so 0 lies outside exactly where p is below 0.05.
    """
    low, high = tango_interval(b, c, n)
    if mcnemar_exact(b, c).two_sided >= 1 - LEVEL:
        return min(low, 0.0), max(high, 0.0)
    return low, high


def _score_statistic(b: int, c: int, n: int, delta: float) -> float:
    linear = (2 * n - b + c) * delta - b - c
    constant = -c * delta * (1 - delta)
    root = math.sqrt(max(0.0, linear * linear - 8 * n * constant))
    wrong_share = (root - linear) / (4 * n)
    variance = n * (2 * wrong_share + delta * (1 - delta))
    gap = b - c - n * delta
    if variance <= 0:
        return math.copysign(math.inf, gap) if gap else 0.0
    return gap / math.sqrt(variance)


def _root(function: Callable[[float], float], left: float, right: float) -> float:
    if right - left < 1e-9:
        return left
    return float(optimize.brentq(function, left + 1e-12, right - 1e-12, xtol=1e-12))
