"""Ranks as ranges: a model's best and worst rank that its scores cannot rule out.

Each model is compared with every other one, at a level that is divided by the number of these
comparisons (Bonferroni), so that its range holds its true rank with a probability of at least 95 %,
however many models are equally good (marginal confidence sets for ranks: Mogstad, Romano, Shaikh
and Wilhelm, Review of Economic Studies 91, 2024). Where both models' scores by item are at hand the
error of their difference is the paired one, which for related models is far smaller; otherwise the
errors of the two scores are added. A model's range runs from one more than the number of models
that are better to the number of models that are not worse, as far as the comparisons show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

from leaderboard.sample_scores import Floats, TaskScores
from leaderboard.statistics.intervals import LEVEL, cluster_sums

BLOCK = 500


def rank_ranges(
    values: Floats, errors: Floats, residuals: Mapping[int, Floats] | None = None
) -> list[tuple[int, int]]:
    """Best and worst rank of every model, from 1.

    Args:
        values: float64[k] headline scores.
        errors: float64[k] their standard errors.
        residuals: by model, what `paired_residuals` gives, for those whose samples are at hand.
    """
    better, worse = np.zeros(values.size, dtype=int), np.zeros(values.size, dtype=int)
    comparisons = max(1, values.size - 1)
    z = float(stats.norm.isf((1 - LEVEL) / 2 / comparisons))
    owners = sorted(residuals or {})
    matrix = np.stack([(residuals or {})[owner] for owner in owners]) if owners else None
    for start in range(0, values.size, BLOCK):
        rows = np.arange(start, min(start + BLOCK, values.size))
        variance = errors[rows, None] ** 2 + errors[None, :] ** 2
        if matrix is not None:
            _put_paired(variance, rows, owners, matrix)
        gaps = values[None, :] - values[rows, None]
        apart = np.abs(gaps) > z * np.sqrt(variance) + 1e-12
        better[rows] = (apart & (gaps > 0)).sum(axis=1)
        worse[rows] = (apart & (gaps < 0)).sum(axis=1)
    return [
        (int(ahead) + 1, values.size - int(behind))
        for ahead, behind in zip(better, worse, strict=True)
    ]


def paired_residuals(scores: Mapping[str, TaskScores], weights: Mapping[str, float]) -> Floats:
    """One model's weighted deviations per independent unit, over all tasks in the weights' order.

    The squared distance of two models' vectors is the variance of the difference of their
    headlines (arXiv:2411.00640, paired and clustered standard errors).
    """
    parts = []
    for task, weight in weights.items():
        found = scores[task]
        order = np.argsort(found.doc_ids)
        centred = found.scores[order] - found.scores.mean()
        clusters = None
        if found.clusters is not None:
            codes = np.unique(found.clusters, return_inverse=True)[1]
            clusters = codes[order].astype(np.int64)
        sums, _ = cluster_sums(centred, clusters)
        correction = math.sqrt(sums.size / (sums.size - 1)) if sums.size > 1 else 0.0
        parts.append(weight * correction / centred.size * sums)
    return np.concatenate(parts)


def _put_paired(
    variance: Floats,
    rows: np.ndarray[tuple[int], np.dtype[np.int_]],
    owners: list[int],
    matrix: Floats,
) -> None:
    """Put the paired variances where both models have residuals."""
    positions = {owner: position for position, owner in enumerate(owners)}
    inside = [row for row in rows.tolist() if row in positions]
    if not inside:
        return
    ours = matrix[[positions[row] for row in inside]]
    squares = (ours**2).sum(axis=1)[:, None] + (matrix**2).sum(axis=1)[None, :]
    distances = np.maximum(squares - 2 * ours @ matrix.T, 0.0)
    variance[np.ix_(np.asarray(inside) - rows[0], owners)] = distances
