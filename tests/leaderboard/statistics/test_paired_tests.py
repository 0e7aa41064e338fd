from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics.paired_tests import (
    Stratum,
    bootstrap,
    bootstrap_tails,
    macro_difference,
    macro_error,
    percentile_interval,
    sign_flip,
)
from leaderboard.statistics.power import minimum_detectable_effect

RANDOM = np.random.default_rng(5)
GRADED = RANDOM.normal(0.05, 0.3, 40).clip(-1, 1)


def binary(random: np.random.Generator, n: int, p10: float, p01: float) -> np.ndarray:
    return random.choice([1.0, -1.0, 0.0], size=n, p=[p10, p01, 1 - p10 - p01])


def test_the_sign_flip_p_is_scipys_permutation_p() -> None:
    expected = stats.permutation_test(
        (GRADED, np.zeros_like(GRADED)),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=9_999,
        rng=np.random.default_rng(0),
    )
    found = sign_flip([Stratum(GRADED)])
    assert found.greater == pytest.approx(expected.pvalue, abs=0.015)


def test_for_right_or_wrong_items_it_is_the_binomial_test() -> None:
    differences = np.array([1.0] * 14 + [-1.0] * 5 + [0.0] * 81)
    found = sign_flip([Stratum(differences, binary=True)], draws=99_999)
    expected = stats.binomtest(14, 19, alternative="greater").pvalue
    assert found.greater == pytest.approx(expected, abs=2e-3)


def test_the_exhaustive_flips_of_few_units_are_matched() -> None:
    sums = np.array([0.5, -0.1, 0.3, 0.2, 0.4, -0.2])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = float((signs @ sums >= sums.sum() - 1e-12).mean())
    assert sign_flip([Stratum(sums)], draws=60_000).greater == pytest.approx(exact, abs=0.01)


def test_clusters_flip_together() -> None:
    differences = np.repeat(RANDOM.normal(0, 0.3, 12), 10)
    clusters = np.repeat(np.arange(12), 10)
    apart, together = (
        sign_flip([Stratum(differences)]).two_sided,
        sign_flip([Stratum(differences, clusters)]).two_sided,
    )
    assert together > 3 * apart


def test_the_bootstrap_interval_is_scipys() -> None:
    expected = stats.bootstrap(
        (GRADED,), np.mean, method="percentile", n_resamples=9_999, rng=np.random.default_rng(1)
    ).confidence_interval
    found = percentile_interval(bootstrap([Stratum(GRADED)]))
    assert found == pytest.approx((expected.low, expected.high), abs=0.008)


def test_the_macro_difference_weighs_tasks_not_items() -> None:
    small, large = Stratum(np.ones(10), weight=0.5), Stratum(np.zeros(1_000), weight=0.5)
    assert macro_difference([small, large]) == 0.5


def test_the_bootstrap_spread_is_the_standard_error() -> None:
    strata = [
        Stratum(GRADED, weight=0.5),
        Stratum(binary(RANDOM, 200, 0.2, 0.1), binary=True, weight=0.3),
        Stratum(RANDOM.normal(0, 0.2, 60), np.repeat(np.arange(20), 3), weight=0.2),
    ]
    resamples = bootstrap(strata)
    assert resamples.std() == pytest.approx(macro_error(strata), rel=0.06)
    assert resamples.mean() == pytest.approx(macro_difference(strata), abs=0.003)


def test_models_that_agree_everywhere_are_not_certainly_equal() -> None:
    strata = [Stratum(np.zeros(50), binary=True)]
    low, high = percentile_interval(bootstrap(strata))
    assert low < -0.01 < 0.01 < high
    assert sign_flip(strata).two_sided == 1


def test_the_same_scores_give_the_same_numbers() -> None:
    assert sign_flip([Stratum(GRADED)]) == sign_flip([Stratum(GRADED.copy())])
    assert (bootstrap([Stratum(GRADED)]) == bootstrap([Stratum(GRADED.copy())])).all()


def test_p_agrees_with_the_interval_of_the_same_resamples() -> None:
    for mean in np.linspace(-0.1, 0.1, 21):
        resamples = bootstrap([Stratum(RANDOM.normal(mean, 0.3, 80))])
        low, high = percentile_interval(resamples)
        apart = low > 0 or high < 0
        assert (bootstrap_tails(resamples).two_sided < 0.0495) <= apart
        assert apart <= (bootstrap_tails(resamples).two_sided < 0.0505)


def trial(random: np.random.Generator, shift: float) -> list[Stratum]:
    """One task won, one lost, one graded, with a true macro difference of ``shift``."""
    return [
        Stratum(binary(random, 100, 0.23 + shift, 0.08), binary=True, weight=1 / 3),
        Stratum(binary(random, 100, 0.08 + shift, 0.23), binary=True, weight=1 / 3),
        Stratum(random.normal(shift, 0.3, 80), weight=1 / 3),
    ]


def simulate(shift: float, trials: int, draws: int) -> tuple[float, float]:
    """The share of trials called significant, and of intervals that hold the truth."""
    random = np.random.default_rng(17)
    claimed, covered = 0, 0
    for _ in range(trials):
        strata = trial(random, shift)
        resamples = bootstrap(strata, draws=draws)
        claimed += bootstrap_tails(resamples).two_sided < 0.05
        low, high = percentile_interval(resamples)
        covered += low <= shift <= high
    return claimed / trials, covered / trials


@pytest.mark.parametrize(
    ("trials", "draws", "slack"),
    [
        (400, 499, 0.025),
        pytest.param(6_000, 1_999, 0.008, marks=pytest.mark.slow),
    ],
)
def test_level_and_coverage_under_the_null(trials: int, draws: int, slack: float) -> None:
    claimed, covered = simulate(0.0, trials, draws)
    assert claimed <= 0.05 + slack
    assert 0.95 - slack <= covered <= 0.95 + slack


@pytest.mark.parametrize(
    ("trials", "draws", "slack"),
    [
        (300, 499, 0.1),
        pytest.param(4_000, 1_999, 0.03, marks=pytest.mark.slow),
    ],
)
def test_the_minimum_detectable_effect_is_found_in_four_of_five(
    trials: int, draws: int, slack: float
) -> None:
    random = np.random.default_rng(2)
    effect = 0.075
    for _ in range(8):  # the effect whose own standard error makes it the detectable one
        errors = [macro_error(trial(random, effect)) for _ in range(60)]
        effect = minimum_detectable_effect(float(np.mean(errors)))
    claimed, covered = simulate(effect, trials, draws)
    assert claimed == pytest.approx(0.8, abs=slack)
    assert covered == pytest.approx(0.95, abs=slack)
