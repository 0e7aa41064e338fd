from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics.macro_estimate import macro_estimate
from leaderboard.statistics.paired_tests import Stratum, macro_difference, sign_flip
from leaderboard.statistics.power import minimum_detectable_effect
from tests.leaderboard.statistics.bootstrap import bootstrap, bootstrap_tails, percentile_interval

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
    found = sign_flip(Stratum(GRADED)).tails
    assert found.greater == pytest.approx(expected.pvalue, abs=0.015)


def test_for_right_or_wrong_items_it_is_the_binomial_test() -> None:
    differences = np.array([1.0] * 14 + [-1.0] * 5 + [0.0] * 81)
    found = sign_flip(Stratum(differences, binary=True), draws=99_999).tails
    expected = stats.binomtest(14, 19, alternative="greater").pvalue
    assert found.greater == pytest.approx(expected, abs=2e-3)


def test_the_exhaustive_flips_of_few_units_are_matched() -> None:
    sums = np.array([0.5, -0.1, 0.3, 0.2, 0.4, -0.2])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = float((signs @ sums >= sums.sum() - 1e-12).mean())
    assert sign_flip(Stratum(sums), draws=60_000).tails.greater == pytest.approx(exact, abs=0.01)


def test_clusters_flip_together() -> None:
    differences = np.repeat(RANDOM.normal(0, 0.3, 12), 10)
    clusters = np.repeat(np.arange(12), 10)
    apart, together = (
        sign_flip(Stratum(differences)).tails.two_sided,
        sign_flip(Stratum(differences, clusters)).tails.two_sided,
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
    assert resamples.std() == pytest.approx(macro_estimate(strata).stderr, rel=0.06)
    assert resamples.mean() == pytest.approx(macro_difference(strata), abs=0.003)


def test_models_that_agree_everywhere_are_not_certainly_equal() -> None:
    strata = [Stratum(np.zeros(50), binary=True)]
    low, high = macro_estimate(strata).interval()
    assert low < -0.01 < 0.01 < high
    assert sign_flip(strata[0]).tails.two_sided == 1
    assert macro_estimate(strata).tails.two_sided == 1


def test_the_same_scores_give_the_same_numbers() -> None:
    assert sign_flip(Stratum(GRADED)) == sign_flip(Stratum(GRADED.copy()))
    assert macro_estimate([Stratum(GRADED)]) == macro_estimate([Stratum(GRADED.copy())])


@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_p_agrees_with_the_interval(scale: float) -> None:
    found = []
    for mean in np.linspace(-0.1, 0.1, 41):
        stratum = Stratum(scale * RANDOM.normal(mean, 0.3, 80))
        estimate, flipped = macro_estimate([stratum]), sign_flip(stratum, draws=1_999)
        low, high = estimate.interval()
        assert (estimate.tails.two_sided < 0.05) == (low > 0 or high < 0)
        assert (flipped.tails.two_sided < 0.05) == (flipped.low > 0 or flipped.high < 0)
        found.append(flipped.tails.two_sided < 0.05)
    assert 0 < sum(found) < len(found)


def test_the_sign_flip_interval_is_close_to_students_for_graded_scores() -> None:
    found = sign_flip(Stratum(GRADED))
    expected = stats.t.interval(0.95, 39, GRADED.mean(), stats.sem(GRADED))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("shift", [-0.2, -0.1, 0.0, 0.1, 0.2])
def test_the_sign_flip_interval_holds_what_every_flip_does_not_reject(shift: float) -> None:
    sums = np.array([0.5, -0.1, 0.3, 0.2, 0.4, -0.2, 0.25, 0.1, -0.05, 0.6]) + shift
    signs = np.array(np.meshgrid(*[[-1, 1]] * 10)).reshape(10, -1).T
    found = sign_flip(Stratum(sums), draws=60_000)
    for value in np.linspace(-0.4, 0.8, 61):
        if min(abs(value - found.low), abs(value - found.high)) < 0.03:
            continue
        moved = sums - value
        tails = [(sign * (signs @ moved) >= sign * moved.sum() - 1e-12).mean() for sign in (1, -1)]
        assert (2 * min(tails) >= 0.05) == (found.low <= value <= found.high)


def test_one_graded_task_gets_students_t() -> None:
    found = macro_estimate([Stratum(GRADED)])
    expected = stats.ttest_1samp(GRADED, 0, alternative="greater")
    assert found.tails.greater == pytest.approx(expected.pvalue)
    interval = stats.ttest_1samp(GRADED, 0).confidence_interval(0.95)
    assert found.interval() == pytest.approx((interval.low, interval.high))
    assert found.df == pytest.approx(39)


def test_two_graded_tasks_get_welchs_t() -> None:
    first, second = RANDOM.normal(0.1, 0.4, 25), RANDOM.normal(0.0, 0.1, 90)
    found = macro_estimate([Stratum(first), Stratum(-second)])
    expected = stats.ttest_ind(first, second, equal_var=False, alternative="greater")
    assert found.tails.greater == pytest.approx(expected.pvalue)
    assert found.df == pytest.approx(expected.df)


@pytest.mark.parametrize("shift", [-0.05, 0.0, 0.03, 0.1])
def test_it_agrees_with_the_bootstrap_where_that_is_reliable(shift: float) -> None:
    strata = trial(np.random.default_rng(3), shift)
    found, resamples = macro_estimate(strata), bootstrap(strata, draws=40_000)
    assert found.tails.greater == pytest.approx(bootstrap_tails(resamples).greater, abs=0.006)
    assert found.interval() == pytest.approx(percentile_interval(resamples), abs=0.004)


def test_no_number_of_draws_bounds_how_small_p_is() -> None:
    differences = np.repeat([1.0, -1.0, 0.0], [160, 40, 400])
    found = macro_estimate([Stratum(differences, binary=True)])
    exact = stats.binomtest(160, 200, alternative="greater").pvalue
    assert exact < 1e-17
    assert found.tails.greater < 1e-15


@pytest.mark.parametrize(("better", "worse"), [(12, 0), (20, 0), (30, 3), (60, 20), (200, 130)])
def test_far_tails_are_close_to_the_exact_test_of_discordant_items(better: int, worse: int) -> None:
    sparse = np.repeat([1.0, -1.0, 0.0], [better, worse, 600 - better - worse])
    p = macro_estimate([Stratum(sparse, binary=True)]).tails.greater
    exact = stats.binomtest(better, better + worse, alternative="greater").pvalue
    assert exact / 2 < p < 8 * exact


def trial(random: np.random.Generator, shift: float) -> list[Stratum]:
    """One task won, one lost, one graded, with a true macro difference of ``shift``."""
    return [
        Stratum(binary(random, 100, 0.23 + shift, 0.08), binary=True, weight=1 / 3),
        Stratum(binary(random, 100, 0.08 + shift, 0.23), binary=True, weight=1 / 3),
        Stratum(random.normal(shift, 0.3, 80), weight=1 / 3),
    ]


def simulate(shift: float, trials: int) -> tuple[float, float]:
    """The share of trials called significant, and of intervals that hold the truth."""
    random = np.random.default_rng(17)
    claimed, covered = 0, 0
    for _ in range(trials):
        strata = trial(random, shift)
        found = macro_estimate(strata)
        claimed += found.tails.two_sided < 0.05
        low, high = found.interval()
        covered += low <= shift <= high
    return claimed / trials, covered / trials


@pytest.mark.parametrize(
    ("trials", "slack"),
    [
        (400, 0.025),
        pytest.param(6_000, 0.008, marks=pytest.mark.slow),
    ],
)
def test_level_and_coverage_under_the_null(trials: int, slack: float) -> None:
    claimed, covered = simulate(0.0, trials)
    assert claimed <= 0.05 + slack
    assert 0.95 - slack <= covered <= 0.95 + slack


@pytest.mark.parametrize(
    ("trials", "slack"),
    [
        (300, 0.1),
        pytest.param(4_000, 0.03, marks=pytest.mark.slow),
    ],
)
def test_the_minimum_detectable_effect_is_found_in_four_of_five(trials: int, slack: float) -> None:
    random = np.random.default_rng(2)
    effect = 0.075
    for _ in range(8):  # the effect whose own standard error makes it the detectable one
        errors = [macro_estimate(trial(random, effect)).stderr for _ in range(60)]
        effect = minimum_detectable_effect(float(np.mean(errors)))
    claimed, covered = simulate(effect, trials)
    assert claimed == pytest.approx(0.8, abs=slack)
    assert covered == pytest.approx(0.95, abs=slack)
