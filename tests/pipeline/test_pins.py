"""A second run opens Hub models where the first one did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.checkpoint.memory_checkpoint import MemorySource
from bot.events import Report, silent
from bot.lineage.resolved_parent import ResolvedParent
from bot.pipeline.make_lock import make_lock
from bot.pipeline.open_parents import ParentSet
from bot.pipeline.pins import reuse_lock
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import ModelRef, Recipe
from bot.recipe.recipe_lock import LOCK_FILE, dump_lock

TEXT = "merge_method: passthrough\nmodels:\n  - model: org/model\nname: one\n"


class MovingBranch:
    """A Hub whose branch moves at every look; a commit stays."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, ref: ModelRef, report: Report) -> ResolvedParent:
        del report
        self.looks += 1
        pin = ref.revision or f"{self.looks:040x}"
        return ResolvedParent(
            ref=ref, kind="hub", pin=pin, digest=pin, source=MemorySource({}), folder=None
        )


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(TEXT)


def run_once(recipe: Recipe, hub: MovingBranch, workspace: Workspace) -> str:
    ref = recipe.references()[0]
    origin = reuse_lock(recipe, workspace, hub)(ref, silent)
    assert origin.ref == ref
    lock = make_lock(recipe, ParentSet(parents={"model": origin}), "cpu")
    place = workspace.merge(lock.merge_key)
    place.mkdir(parents=True, exist_ok=True)
    (place / LOCK_FILE).write_text(dump_lock(lock))
    return origin.pin


def test_a_branch_that_moved_does_not_move_a_recipe(recipe: Recipe, tmp_path: Path) -> None:
    hub, workspace = MovingBranch(), Workspace(tmp_path)
    first = run_once(recipe, hub, workspace)
    assert run_once(recipe, hub, workspace) == first
    assert hub(recipe.references()[0], silent).pin != first


def test_another_recipe_looks_for_itself(recipe: Recipe, tmp_path: Path) -> None:
    hub, workspace = MovingBranch(), Workspace(tmp_path)
    first = run_once(recipe, hub, workspace)
    assert run_once(replace(recipe, seed=1), hub, workspace) != first


def test_a_torn_lock_pins_nothing(recipe: Recipe, tmp_path: Path) -> None:
    hub, workspace = MovingBranch(), Workspace(tmp_path)
    first = run_once(recipe, hub, workspace)
    (next(tmp_path.glob(f"merges/*/{LOCK_FILE}"))).write_text("{")
    assert run_once(recipe, hub, workspace) != first
