from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from leaderboard.statistics.intervals import (
    mean_interval,
    standard_error,
    task_score,
    wilson_interval,
)
from tests.leaderboard.test_sample_scores import task

VALUES = np.random.default_rng(3).random(60)


def test_the_interval_of_a_mean_is_students() -> None:
    found = mean_interval(VALUES)
    low, high = stats.t.interval(0.95, 59, VALUES.mean(), stats.sem(VALUES))
    assert found == pytest.approx((VALUES.mean(), stats.sem(VALUES), low, high), abs=1e-12)


def test_clustered_errors_are_those_of_a_regression_with_clustered_covariance() -> None:
    clusters = np.arange(60) % 13
    fit = sm.OLS(VALUES, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": True}
    )
    assert standard_error(VALUES, clusters) == pytest.approx(fit.bse[0], rel=1e-9)


def test_items_that_are_their_own_clusters_are_independent() -> None:
    assert standard_error(VALUES, np.arange(60)) == pytest.approx(standard_error(VALUES))


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (1, 50), (37, 120), (600, 1319)])
def test_wilson_agrees_with_statsmodels(right: int, n: int) -> None:
    expected = proportion_confint(right, n, method="wilson")
    assert wilson_interval(right, n) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_score_is_not_certain() -> None:
    score = task_score(task([1.0] * 20, capped=0.1))
    assert score.value == score.high == 1
    assert 0.8 < (score.low or 0) < 0.9
    assert score.cap_hit_rate == 0.1


def test_a_clustered_task_has_the_wider_interval() -> None:
    right = [1.0] * 30 + [0.0] * 30
    alone = task_score(task(right))
    together = task_score(task(right, clusters=tuple(f"story{i // 10}" for i in range(60))))
    assert (together.stderr or 0) > 2 * (alone.stderr or 0)


def test_one_cluster_gives_no_error_bar_but_no_crash() -> None:
    assert mean_interval(VALUES, np.zeros(60, dtype=np.int64)).stderr == 0
