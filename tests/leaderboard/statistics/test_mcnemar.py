from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar

from leaderboard.statistics.mcnemar import mcnemar_exact, tango_interval

counts = st.integers(0, 40)


@given(counts, counts)
def test_tails_are_those_of_a_fair_coin(b: int, c: int) -> None:
    tails = mcnemar_exact(b, c)
    if b + c:
        assert tails.greater == pytest.approx(
            stats.binomtest(b, b + c, 0.5, alternative="greater").pvalue
        )
        assert tails.less == pytest.approx(
            stats.binomtest(b, b + c, 0.5, alternative="less").pvalue
        )
    expected = mcnemar([[7, b], [c, 5]], exact=True).pvalue if b + c else 1.0
    assert tails.two_sided == pytest.approx(expected)


def score_test(b: int, c: int, n: int, delta: float) -> float:
    """Tango's statistic with the nuisance share found by maximising the likelihood itself."""
    lowest, highest = max(0.0, -delta), (1 - delta) / 2

    def loss(share: float) -> float:
        cells = (b, share + delta), (c, share), (n - b - c, 1 - 2 * share - delta)
        return -sum(k * math.log(max(p, 1e-300)) for k, p in cells if k)

    share = optimize.minimize_scalar(
        loss, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-12}
    ).x
    return (b - c - n * delta) / math.sqrt(n * (2 * share + delta - delta**2))


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 20), (3, 0, 10), (12, 5, 60), (40, 90, 500)])
def test_the_interval_ends_where_the_score_test_just_rejects(b: int, c: int, n: int) -> None:
    low, high = tango_interval(b, c, n)
    assert score_test(b, c, n, low) == pytest.approx(1.959964, abs=2e-3)
    assert score_test(b, c, n, high) == pytest.approx(-1.959964, abs=2e-3)


def test_no_discordant_item_gives_the_closed_form() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    assert tango_interval(0, 0, 30) == pytest.approx((-z2 / (30 + z2), z2 / (30 + z2)), abs=1e-9)


@settings(max_examples=200)
@given(st.integers(1, 60), st.data())
def test_the_interval_is_inside_its_range_and_mirrors(n: int, data: st.DataObject) -> None:
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    low, high = tango_interval(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert tango_interval(c, b, n) == pytest.approx((-high, -low), abs=1e-8)


def test_the_interval_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    n, p10, p01 = 60, 0.06, 0.03
    draws = random.multinomial(n, [p10, p01, 1 - p10 - p01], size=600)
    inside = [
        low <= 0.03 <= high
        for b, c, _ in draws
        for low, high in [tango_interval(int(b), int(c), n)]
    ]
    assert 0.92 <= np.mean(inside) <= 0.985
