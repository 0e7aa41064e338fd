"""Every benchmarked recipe is one that mergebot reads, and that covers the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.recipes import CASES, SHARED, Case
from bot.recipe.load_recipe import load_recipe
from bot.recipe.method_signature import load_signatures

SPHERES = {"slerp", "nuslerp", "multislerp", "karcher"}
DROPS = {"dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties", "della", "della_linear"}
DELTAS = {"task_arithmetic", "ties", "sce", "ram", "ramplus_tl", *DROPS}
OTHERS = {"passthrough", "linear", "model_stock", "nearswap", "arcee_fusion"}


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_the_recipe_is_valid(case: Case, tmp_path: Path) -> None:
    recipe = load_recipe(case.write(tmp_path))
    assert recipe.merge_method == case.method


def test_every_method_is_measured() -> None:
    assert {case.method for case in CASES.values()} == set(load_signatures())


def test_what_both_tools_have_is_measured_side_by_side() -> None:
    assert set(SHARED) == SPHERES | DELTAS | OTHERS


def test_names_and_files_are_unique(tmp_path: Path) -> None:
    assert len({case.write(tmp_path) for case in CASES.values()}) == len(CASES)


def test_inputs_are_read_once() -> None:
    assert CASES["slerp"].inputs == ("first", "second")
    assert CASES["ties"].inputs == ("base", "first", "second")
    assert CASES["passthrough"].inputs == ("first",)
