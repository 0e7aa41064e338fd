from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from leaderboard.statistics.macro_estimate import macro_estimate
from leaderboard.statistics.multiple_testing import (
    benjamini_hochberg,
    holm,
    intersection_union,
    two_sided_claim,
)
from leaderboard.statistics.paired_tests import Stratum, sign_flip
from leaderboard.statistics.power import items_needed, minimum_detectable_effect

p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_holm_agrees_with_statsmodels(count: int) -> None:
    values = np.round(np.random.default_rng(count).random(count) ** 3, 2).tolist()
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


@given(p_lists)
def test_benjamini_hochberg_agrees_with_scipy(values: list[float]) -> None:
    assert benjamini_hochberg(values) == pytest.approx(
        stats.false_discovery_control(values, method="bh").tolist()
    )


@pytest.mark.parametrize(("shown", "tried"), [(3, 3), (3, 9), (1, 20)])
def test_attempts_that_made_no_claim_count_as_p_values_of_one(shown: int, tried: int) -> None:
    values = np.random.default_rng(tried).random(shown) ** 3
    padded = [*values, *[1.0] * (tried - shown)]
    expected = multipletests(padded, method="holm")[1][:shown]
    assert holm(values.tolist(), tried) == pytest.approx(expected.tolist())


def test_no_claims_need_no_correction() -> None:
    assert holm([]) == benjamini_hochberg([]) == []


def test_beating_every_parent_is_as_hard_as_beating_the_hardest() -> None:
    assert intersection_union([0.001, 0.2, 0.03]) == 0.2
    assert intersection_union([]) == 1.0
    assert two_sided_claim(0.02) == 0.04
    assert two_sided_claim(0.7) == 1.0


def test_noninferiority_is_one_side_of_tost() -> None:
    random = np.random.default_rng(8)
    merge, parent = random.normal(0.6, 0.2, 300), random.normal(0.6, 0.2, 300)
    found = macro_estimate([Stratum(merge - parent)]).p_not_above(-0.02)
    assert found == pytest.approx(ttost_paired(merge, parent, -0.02, 9)[1][1], abs=1e-9)


def test_the_union_of_equal_parents_is_conservative() -> None:
    random = np.random.default_rng(4)
    claims = 0
    for _ in range(300):
        skills = random.random((3, 120)) < 0.5
        ps = [
            sign_flip(Stratum(skills[0].astype(float) - skills[j], binary=True), draws=199).tails
            for j in (1, 2)
        ]
        claims += intersection_union([p.greater for p in ps]) < 0.05
    assert claims / 300 <= 0.05


@pytest.mark.parametrize(
    ("discordant", "n", "points"),
    [
        (0.10, 164, 6.9),
        (0.10, 541, 3.8),
        (0.10, 1_000, 2.8),
        (0.05, 1_000, 2.0),
        (0.20, 541, 5.4),
    ],
)
def test_the_detectable_effect_matches_the_published_table(
    discordant: float, n: int, points: float
) -> None:
    effect = minimum_detectable_effect((discordant / n) ** 0.5)
    assert 100 * effect == pytest.approx(points, abs=0.06)
    assert items_needed(effect, discordant**0.5) == pytest.approx(n, abs=1)
