from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics.best_parent import (
    AgainstBest,
    contenders,
    largest_exceeds,
    smallest_exceeds,
)
from leaderboard.statistics.macro_estimate import MacroEstimate


def estimate(delta: float, stderr: float = 0.01, df: float = float("inf")) -> MacroEstimate:
    return MacroEstimate(delta=delta, stderr=stderr, df=df)


@pytest.mark.parametrize("count", [1, 2, 4, 6])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("z", [-1.0, 0.3, 2.0])
def test_the_tails_are_those_of_the_multivariate_normal(
    count: int, correlation: float, z: float
) -> None:
    covariance = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    normal = stats.multivariate_normal(np.zeros(count), covariance)
    below, above = normal.cdf(np.full(count, z)), normal.cdf(np.full(count, -z))
    assert largest_exceeds(z, count, correlation) == pytest.approx(1 - below, abs=2e-4)
    assert smallest_exceeds(z, count, correlation) == pytest.approx(above, abs=2e-4)


def test_far_tails_are_those_of_independent_deviates() -> None:
    for z in (5.0, 8.0):
        assert largest_exceeds(z, 5, 0.0) == pytest.approx(5 * stats.norm.sf(z), rel=1e-5)
        assert stats.norm.sf(z) < largest_exceeds(z, 5, 0.5) < 5 * stats.norm.sf(z)


@pytest.mark.parametrize("df", [float("inf"), 30.0])
def test_one_parent_gets_students_t(df: float) -> None:
    one = estimate(-0.021, df=df)
    found = AgainstBest(differences=[one], contenders=[0], correlation=0.0)
    assert found.interval == pytest.approx(one.interval())
    two_sided = 2 * (stats.norm.cdf(-2.1) if np.isinf(df) else stats.t.cdf(-2.1, df))
    assert found.p_worse == found.p == pytest.approx(two_sided)
    assert found.p_better == 1


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_p_and_interval_agree(count: int) -> None:
    random = np.random.default_rng(count)
    outside = 0
    for _ in range(200):
        deltas = random.normal(0, 0.02, count)
        found = AgainstBest(
            differences=[estimate(one, 0.01 + 0.002 * random.random()) for one in deltas],
            contenders=range(count),
            correlation=0.5,
        )
        low, high = found.interval
        assert (found.p < 0.05) == (low > 0 or high < 0)
        outside += found.p < 0.05
    assert 0 < outside < 200


def test_more_parents_to_choose_from_need_a_larger_difference() -> None:
    values = [
        AgainstBest(
            differences=[estimate(-0.022), *[estimate(-0.001)] * others],
            contenders=range(others + 1),
            correlation=0.5,
        ).p_worse
        for others in range(6)
    ]
    assert values == sorted(values)
    assert values[0] < 0.03 < 0.05 < values[5]


def test_parents_that_are_clearly_not_the_best_are_left_out() -> None:
    gaps = [estimate(0.0, 0.0), estimate(0.02), estimate(0.10), estimate(0.0, 0.01)]
    assert contenders(gaps, 600) == [0, 1, 3]


@pytest.mark.parametrize(
    ("trials", "slack"), [(400, 0.025), pytest.param(6_000, 0.007, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("count", [2, 4, 6])
def test_equal_parents_are_worse_no_more_often_than_alpha(
    count: int, trials: int, slack: float
) -> None:
    random = np.random.default_rng(count)
    shared = random.normal(size=(trials, 1))
    deltas = 0.01 * np.sqrt(0.5) * (shared + random.normal(size=(trials, count)))
    worse = covered = 0
    for row in deltas:
        differences = [estimate(one) for one in row]
        found = AgainstBest(differences=differences, contenders=range(count), correlation=0.5)
        worse += found.p_worse < 0.05
        covered += found.interval[0] <= 0 <= found.interval[1]
    assert worse / trials <= 0.05 + slack
    assert covered / trials == pytest.approx(0.95, abs=slack)
