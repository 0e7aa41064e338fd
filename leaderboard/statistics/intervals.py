"""Standard errors and 95 % intervals of a single model's mean score.

Clustered standard errors follow Miller, "Adding Error Bars to Evals" (arXiv:2411.00640, section
2.2), with the G/(G-1) correction for few clusters; right-or-wrong scores get Wilson's interval,
since the normal one fails near 0 and 1 and for a few hundred items (arXiv:2503.01747).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from leaderboard.record_results import Score
from leaderboard.sample_scores import Floats, Integers, TaskScores

LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate, its standard error and its interval's ends."""

    value: float
    stderr: float
    low: float
    high: float


def cluster_sums(values: Floats, clusters: Integers | None) -> tuple[Floats, Floats]:
    """The sum and the number of values per cluster; without clusters each value is its own."""
    if clusters is None:
        return values, np.ones_like(values)
    sums: Floats = np.bincount(clusters, values).astype(np.float64)
    sizes: Floats = np.bincount(clusters).astype(np.float64)
    return sums, sizes


def standard_error(values: Floats, clusters: Integers | None = None) -> float:
    """The standard error of the mean of float64[n]; 0 where there is only one independent unit."""
    sums, _ = cluster_sums(values - values.mean(), clusters)
    units = sums.size
    if units < 2:
        return 0.0
    return math.sqrt(float(sums @ sums) * units / (units - 1)) / values.size


def mean_interval(
    values: Floats, clusters: Integers | None = None, *, level: float = LEVEL
) -> Interval:
    """Student's t interval of the mean, with as many degrees of freedom as units less one."""
    mean, error = float(values.mean()), standard_error(values, clusters)
    units = values.size if clusters is None else int(np.unique(clusters).size)
    if units < 2:
        return Interval(mean, 0.0, mean, mean)
    half = float(stats.t.ppf((1 + level) / 2, units - 1)) * error
    return Interval(mean, error, mean - half, mean + half)


def wilson_interval(successes: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion (JASA 22, 1927)."""
    z = float(stats.norm.ppf((1 + level) / 2))
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def task_score(scores: TaskScores) -> Score:
    """A task's score with the interval its kind of metric asks for."""
    clusters = None
    if scores.clusters is not None:
        clusters = np.unique(scores.clusters, return_inverse=True)[1].astype(np.int64)
    interval = mean_interval(scores.scores, clusters)
    low, high = interval.low, interval.high
    if scores.binary and clusters is None:
        low, high = wilson_interval(int(scores.scores.sum()), len(scores))
    return Score(
        value=min(1.0, max(0.0, interval.value)),
        stderr=interval.stderr,
        low=min(1.0, max(0.0, low)),
        high=min(1.0, max(0.0, high)),
        cap_hit_rate=scores.capped,
    )
