from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from leaderboard.board_errors import IncomparableError
from leaderboard.record_results import Score
from leaderboard.statistics.headline import (
    group_weights,
    headline,
    normalised,
    open_llm_leaderboard_v2,
)
from leaderboard.statistics.paired_comparison import compare_models
from tests.leaderboard.test_sample_scores import task
from tests.present import present

RANDOM = np.random.default_rng(9)
MERGE = {
    "sort": task(RANDOM.random(80) < 0.8),
    "shift": task(RANDOM.random(40) < 0.5, name="shift"),
}
PARENT = {
    "sort": task(RANDOM.random(80) < 0.6),
    "shift": task(RANDOM.random(40) < 0.5, name="shift"),
}


def test_every_number_has_its_independent_twin() -> None:
    found = compare_models(MERGE, PARENT, parent_key="p")
    for row in found.tasks:
        ours, theirs = MERGE[row.task].scores, PARENT[row.task].scores
        only_ours = int(((ours == 1) & (theirs == 0)).sum())
        only_theirs = int(((ours == 0) & (theirs == 1)).sum())
        table = [[0, only_ours], [only_theirs, 0]]
        assert row.delta == pytest.approx((ours - theirs).mean())
        assert row.p_two_sided == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert (present(row.discordant).b, present(row.discordant).c) == (only_ours, only_theirs)
        assert row.low < row.delta < row.high
    means = [row.delta for row in found.tasks]
    assert found.overall.delta == pytest.approx(sum(means) / 2)
    assert found.overall.n == 120
    assert found.cap_gap is None


def test_swapping_the_models_mirrors_the_comparison() -> None:
    there = compare_models(MERGE, PARENT, parent_key="p")
    back = compare_models(PARENT, MERGE, parent_key="m")
    assert there.overall.delta == -back.overall.delta
    for a, b in zip(there.tasks, back.tasks, strict=True):
        assert (a.delta, a.p_greater) == (-b.delta, b.p_less)
        assert (a.low, a.high) == pytest.approx((-b.high, -b.low), abs=1e-9)


def test_a_model_against_itself_differs_in_nothing() -> None:
    found = compare_models(MERGE, MERGE, parent_key="p")
    assert found.overall.delta == 0
    assert found.overall.p_two_sided > 0.9
    assert found.overall.low < 0 < found.overall.high


def test_other_tasks_or_items_are_refused() -> None:
    with pytest.raises(IncomparableError, match="only one of the two models was scored on shift"):
        compare_models(MERGE, {"sort": PARENT["sort"]}, parent_key="p")
    fewer = {**PARENT, "sort": task([1.0] * 79)}
    with pytest.raises(IncomparableError, match="1 items only in the first"):
        compare_models(MERGE, fewer, parent_key="p")
    with pytest.raises(IncomparableError, match="weights"):
        compare_models(MERGE, PARENT, parent_key="p", weights={"sort": 0.5, "shift": 0.4})


def test_the_largest_gap_of_cap_hits_is_kept() -> None:
    merge = {name: replace(found, capped=0.10) for name, found in MERGE.items()}
    parent = {**merge, "sort": replace(MERGE["sort"], capped=0.02)}
    assert compare_models(merge, parent, parent_key="p").cap_gap == pytest.approx(0.08)


def test_clustered_and_graded_tasks_get_their_own_tests() -> None:
    clusters = tuple(f"story{i // 4}" for i in range(80))
    merge = {
        "sort": replace(MERGE["sort"], clusters=clusters),
        "f1": task(RANDOM.random(50), name="f1", binary=False),
    }
    parent = {
        "sort": replace(PARENT["sort"], clusters=clusters),
        "f1": task(RANDOM.random(50), name="f1", binary=False),
    }
    story, graded = compare_models(merge, parent, parent_key="p").tasks
    assert (story.test, story.clusters) == ("cluster-sign-flip", 20)
    assert story.discordant is not None
    assert (graded.test, graded.clusters, graded.discordant) == ("sign-flip", None, None)


def test_normalising_stretches_the_difference_and_never_floors_it() -> None:
    plain = compare_models(MERGE, PARENT, parent_key="p")
    bounds = {"sort": 0.5, "shift": 0.5}
    stretched = compare_models(MERGE, PARENT, parent_key="p", lower_bounds=bounds)
    assert stretched.overall.delta == pytest.approx(2 * plain.overall.delta)
    assert normalised(0.2, 0.25) < 0
    assert headline(MERGE, lower_bounds=bounds).value == pytest.approx(
        sum(2 * found.mean - 1 for found in MERGE.values()) / 2
    )


def test_groups_weigh_the_same_whatever_their_size() -> None:
    weights = group_weights({"a1": "a", "a2": "a", "b": "b"})
    assert weights == {"a1": 0.25, "a2": 0.25, "b": 0.5}
    scores = {"a1": Score(value=0.1), "a2": Score(value=0.75), "b": Score(value=0.4)}
    bounds = {"a1": 0.5, "a2": 0.5}
    groups = {"a1": "a", "a2": "a", "b": "b"}
    found = open_llm_leaderboard_v2(scores, lower_bounds=bounds, groups=groups)
    assert found == pytest.approx(0.25 * 0 + 0.25 * 0.5 + 0.5 * 0.4)
