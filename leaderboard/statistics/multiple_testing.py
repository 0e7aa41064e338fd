"""p values of several claims at once: against all parents, of the best of many, of a board."""

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


def holm(p_values: Sequence[float], hypotheses: int | None = None) -> list[float]:
    """Holm's adjusted p values: the chance of any false claim stays below the level.

    Args:
        p_values: of the claims that are made.
        hypotheses: how many were tried in all, those without a claim included; each of those counts
            as a p value of 1. As many as there are p values where None.
    """
    values = np.asarray(p_values, dtype=np.float64)
    tried = max(hypotheses or 0, values.size)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(tried, tried - values.size, -1)
    return _restored(np.minimum(1.0, np.maximum.accumulate(steps)), order)


def bonferroni(p_value: float, attempts: int) -> float:
    """The p value of the best of several attempts."""
    return min(1.0, attempts * p_value)


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
