"""The bootstrap, as an independent oracle of the studentized macro difference.

It resamples units within each task (Efron and Tibshirani, chapter 6; clusters as in
arXiv:2411.00640). Where units are right-or-wrong items, half an item is added to each side
(Agresti and Min, Statistics in Medicine 24, 2005).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leaderboard.sample_scores import Floats
from leaderboard.statistics.mcnemar import Tails
from leaderboard.statistics.paired_tests import Stratum


def bootstrap(strata: Sequence[Stratum], *, draws: int = 9_999, seed: int = 0) -> Floats:
    """Sorted float64[draws]: the macro difference of stratified paired resamples."""
    random = np.random.default_rng(seed)
    total = np.zeros(draws)
    for stratum in strata:
        resample = _smoothed_means if stratum.smoothed else _resampled_means
        total += stratum.weight * resample(stratum, draws, random)
    total.sort()
    return total


def bootstrap_tails(resamples: Floats) -> Tails:
    """The p values that agree with the percentile interval of the same resamples."""
    at_most, at_least = int((resamples <= 0).sum()), int((resamples >= 0).sum())
    return Tails((1 + at_most) / (resamples.size + 1), (1 + at_least) / (resamples.size + 1))


def percentile_interval(resamples: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """The interval between the resamples' outer percentiles."""
    low, high = np.quantile(resamples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _smoothed_means(stratum: Stratum, draws: int, random: np.random.Generator) -> Floats:
    differences = stratum.differences
    n = differences.size
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    shares = np.array([better + 0.5, n - better - worse, worse + 0.5]) / (n + 1)
    counts = random.multinomial(n, shares, draws)
    # Half an item on each side draws the mean towards 0 by n / (n + 1): taken back here.
    return np.asarray((counts[:, 0] - counts[:, 2]) / n * (n + 1) / n, dtype=np.float64)


def _resampled_means(stratum: Stratum, draws: int, random: np.random.Generator) -> Floats:
    sums, sizes = stratum.units
    chosen = random.integers(0, sums.size, (draws, sums.size))
    return np.asarray(sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1), dtype=np.float64)
