"""The weighted mean difference over several tasks, its standard error and Student's t of it.

Each task's mean difference has a variance of its own; the weighted sum has the weighted sum of the
variances, and as many degrees of freedom as Welch and Satterthwaite give it (Biometrics Bulletin 2,
1946). Tails and interval both come from Student's t, so 0 lies outside the 95 % interval exactly
where p is below 0.05, and no number of draws bounds how small p can be.

Where items are right or wrong, agreement on all but a few of them must not look like certainty:
half an item is added to each side (Agresti and Min, Statistics in Medicine 24, 2005), shared out
among the tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from leaderboard.statistics.intervals import LEVEL
from leaderboard.statistics.mcnemar import Tails
from leaderboard.statistics.paired_tests import Stratum, macro_difference


@dataclass(frozen=True, kw_only=True)
class MacroEstimate:
    """A difference of two models' headlines, as a fraction, with its standard error.

    ``df`` are the degrees of freedom of the standard error; infinite where it is known exactly.
    """

    delta: float
    stderr: float
    df: float

    @property
    def z(self) -> float:
        """The normal deviate that has the tails of the studentized difference."""
        return normal_deviate(self.delta, self.stderr, self.df)

    @property
    def tails(self) -> Tails:
        """p values against "the difference is not above 0" and "not below 0"."""
        return Tails(float(stats.norm.sf(self.z)), float(stats.norm.cdf(self.z)))

    def end(self, z: float) -> float:
        """The value that lies as far from the difference as a normal deviate of ``z`` says."""
        return self.delta + student_deviate(z, self.df) * self.stderr

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The values that a two-sided test at 1 - level does not reject."""
        z = float(stats.norm.ppf((1 + level) / 2))
        return self.end(-z), self.end(z)

    def p_not_above(self, value: float) -> float:
        """The one-sided p value against "the difference is ``value`` or less"."""
        return float(stats.norm.sf(normal_deviate(self.delta - value, self.stderr, self.df)))


def macro_estimate(strata: Sequence[Stratum]) -> MacroEstimate:
    """The weighted sum of the tasks' mean differences; tasks are independent of each other."""
    right_or_wrong = sum(stratum.smoothed for stratum in strata)
    parts = [
        (stratum.weight**2 * variance(stratum, added=1 / max(right_or_wrong, 1)), stratum)
        for stratum in strata
    ]
    total = math.fsum(part for part, _ in parts)
    squares = math.fsum(
        part**2 / (units - 1) for part, one in parts if (units := one.units[0].size) > 1
    )
    return MacroEstimate(
        delta=macro_difference(strata),
        stderr=math.sqrt(total),
        df=total**2 / squares if squares > 0 else math.inf,
    )


def variance(stratum: Stratum, *, added: float) -> float:
    """The variance of a task's mean difference.

    Args:
        stratum: the task's differences.
        added: discordant items to add where items are right or wrong.
    """
    n = stratum.differences.size
    mean = float(stratum.differences.mean())
    if stratum.smoothed:
        discordant = (float(np.abs(stratum.differences).sum()) + added) / (n + added)
        return max(discordant - mean * mean, 0.0) / n
    sums, sizes = stratum.units
    if sums.size < 2:
        return 0.0
    centred = sums - sizes * mean
    return float(centred @ centred) * sums.size / (sums.size - 1) / n**2


def normal_deviate(delta: float, stderr: float, df: float) -> float:
    """The normal deviate with the same tail as ``delta / stderr`` has in Student's t.

    An estimate without error lies infinitely far from 0, unless it is 0.
    """
    if stderr <= 0:
        return math.copysign(math.inf, delta) if delta else 0.0
    t = abs(delta) / stderr
    tail = float(stats.norm.logsf(t) if math.isinf(df) else stats.t.logsf(t, df))
    return math.copysign(-float(stats.norm.ppf(math.exp(tail))), delta)


def student_deviate(z: float, df: float) -> float:
    """The deviate of Student's t with the same tail as the normal deviate ``z``."""
    if math.isinf(df):
        return z
    return math.copysign(float(stats.t.isf(stats.norm.sf(abs(z)), df)), z)
