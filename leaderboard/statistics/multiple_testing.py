"""Claims: against all parents, within a margin, and how many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leaderboard.sample_scores import Floats


def intersection_union(p_values: Sequence[float]) -> float:
    """The p value of "better than every one of them": the largest (Berger, 1982).

    No correction for the number of parents is due. 1 where there are no parents.
    """
    return max(p_values, default=1.0)


def two_sided_claim(p_one_sided: float) -> float:
    """A directed claim's p value on the two-sided scale, so that it agrees with 95 % intervals."""
    return min(1.0, 2 * p_one_sided)


def noninferiority(resamples: Floats, margin: float) -> float:
    """The one-sided p value against "worse by the margin or more", from bootstrap resamples.

    It is below 0.025 where the 95 % percentile interval lies above minus the margin.
    """
    return (1 + int((resamples <= -margin).sum())) / (resamples.size + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values: the chance of any false claim stays below the level."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(values.size, 0, -1)
    return _restored(np.minimum(1.0, np.maximum.accumulate(steps)), order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values that bound the expected share of false discoveries."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * values.size / np.arange(1, values.size + 1)
    return _restored(np.minimum(1.0, np.minimum.accumulate(steps[::-1])[::-1]), order)


def _restored(adjusted: Floats, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[float]:
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return [float(value) for value in result]
