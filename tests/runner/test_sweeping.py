"""Sweeps: each variant is what it is alone, and no choice is made on report items."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import UsageError
from bot.evaluation.catalogue import suite
from bot.events import silent
from bot.recipe.sweep import load_sweep
from bot.runner.merging import EngineOptions, merge_once, merge_variants
from bot.runner.pipeline import RunOptions
from bot.runner.sweeping import run_sweep, search_suites
from bot.runner.workspace import Workspace
from leaderboard.store import FolderStore
from tests.cli.commands import run
from tests.families import RECIPE, write_family

SKILLS = Path(__file__).parent.parent.parent / "recipes/skills/models"
OPTIONS = EngineOptions(threads=2)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    write_family(tmp_path)
    path = tmp_path / "sweep.yaml"
    path.write_text(RECIPE.replace("weight: 0.5,", "weight: {sweep: [0.3, 0.5, 0.7]},"))
    return path


def test_variants_merged_together_are_the_variants_merged_alone(
    sweep: Path, tmp_path: Path
) -> None:
    recipes = [variant.recipe for variant in load_sweep(sweep)]
    outs = [tmp_path / f"together-{number}" for number in range(3)]
    together = merge_variants(recipes, outs, OPTIONS, silent)
    alone = [
        merge_once(recipe, tmp_path / f"alone-{number}", OPTIONS, silent)
        for number, recipe in enumerate(recipes)
    ]
    assert [made.digest for made in together] == [made.digest for made in alone]
    assert len({made.digest for made in together}) == 3


def test_the_command_writes_a_folder_per_variant(sweep: Path, tmp_path: Path) -> None:
    done = run("merge", sweep, tmp_path / "out", "--json")
    assert done.code == 0
    weights = [row["choices"]["models[0].parameters.weight"] for row in done.json()]
    assert weights == [0.3, 0.5, 0.7]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "01", "02", "03", "sweep.json",
    ]  # fmt: skip
    assert run("merge", sweep, tmp_path / "locked", "--lock").code == 2


def test_a_suite_without_a_search_split_is_refused() -> None:
    assert [one.name for one in search_suites([suite("skills")])] == ["skills-search"]
    with pytest.raises(UsageError, match="no search split"):
        search_suites([suite("skills"), suite("quick")])


@pytest.mark.heavy
def test_the_winner_of_the_search_split_is_reported_and_all_trials_count(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(
        f"merge_method: task_arithmetic\nbase_model: {SKILLS}/skills-base\nmodels:\n"
        f"  - model: {SKILLS}/skills-reverse\n"
        "    parameters: {weight: {sweep: [1.0, 3.0]}}\n"
        "name: swept\nsuites: [skills]\n"
    )
    skills = suite("skills")
    first = skills.data.model_copy(update={"tasks": skills.data.tasks[:1]})
    swept = run_sweep(
        load_sweep(path),
        workspace=Workspace(tmp_path / "workspace"),
        options=RunOptions(suites=(replace(skills, data=first),), engine=OPTIONS),
        report=silent,
    )
    scores = {trial.label.rsplit("=", 1)[1]: trial.score or 0.0 for trial in swept.trials}
    assert scores["1.0"] > scores["3.0"] + 0.2
    assert swept.chosen.endswith("=1.0")
    record = swept.outcome.record
    assert record.attempts is not None
    assert record.attempts.count == 2
    assert record.attempts.sweep is not None
    assert record.attempts.sweep.selection_split == "skills-search"
    assert [found.suite for found in record.suites] == ["skills"]
    (kept,) = FolderStore(tmp_path / "workspace/board").load().records
    assert kept.run_key == record.run_key
