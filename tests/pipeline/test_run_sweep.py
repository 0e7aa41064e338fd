"""Sweeps: each variant is what it is alone, and no choice is made on report items."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import InterruptedRunError, UsageError
from bot.evaluation.suite_catalog import SEARCH_PATH, suite
from bot.events import Event, silent
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.merge_recipe import merge_into_folder
from bot.pipeline.merge_sweep import merge_sweep
from bot.pipeline.run_recipe import RunOptions
from bot.pipeline.run_sweep import run_sweep, search_suites
from bot.pipeline.workspace import Workspace
from bot.recipe.sweep import load_sweep
from leaderboard.record_store import FolderStore
from tests.cli.commands import run
from tests.evaluation.short_skills import short_skills
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
    variants = load_sweep(sweep)
    together = merge_sweep(variants, tmp_path / "together", OPTIONS, silent)
    alone = [
        merge_into_folder(variant.recipe, tmp_path / f"alone-{number}", OPTIONS, silent)
        for number, variant in enumerate(variants)
    ]
    assert [one.merge.digest for one in together] == [made.digest for made in alone]
    assert len({one.merge.digest for one in together}) == 3


def test_the_command_writes_a_folder_per_variant(sweep: Path, tmp_path: Path) -> None:
    done = run("merge", sweep, tmp_path / "out", "--json")
    assert done.code == 0
    weights = [row["choices"]["models[0].parameters.weight"] for row in done.json()]
    assert weights == [0.3, 0.5, 0.7]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "01", "02", "03", "sweep.json",
    ]  # fmt: skip
    assert run("merge", sweep, tmp_path / "out", "--json").json() == done.json()


def test_a_lock_is_had_variant_by_variant(sweep: Path, tmp_path: Path) -> None:
    refused = run("merge", sweep, tmp_path / "out", "--lock")
    assert refused.code == 2
    assert f"{tmp_path}/out/NN/recipe.yaml" in refused.err
    assert f"copy it to {tmp_path} first, since its paths are relative" in refused.err
    assert run("merge", sweep, tmp_path / "out").code == 0
    recipe = (tmp_path / "out/02/recipe.yaml").rename(tmp_path / "second.yaml")
    assert run("merge", recipe, tmp_path / "alone", "--lock").code == 0


def test_warnings_of_the_plans_are_told_once(sweep: Path, tmp_path: Path) -> None:
    config = tmp_path / "second/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"rope_theta": 500000.0}))
    told = run("merge", sweep, tmp_path / "out")
    assert told.code == 0
    assert told.err.count("rope_theta") == 1
    rows = run("merge", sweep, tmp_path / "out", "--json").json()
    assert all("rope_theta" in row["warnings"][0] for row in rows)


@pytest.mark.parametrize("broken", ["models", "models.partial", "sweep.json"])
def test_a_folder_that_is_not_this_sweeps_is_left_alone(
    broken: str, sweep: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / broken).write_text('{"variants": [3]}')
    for folder in (out, tmp_path / "first"):
        before = sorted(folder.rglob("*"))
        refused = run("merge", sweep, folder)
        assert refused.code == 6
        assert "is not the result of this sweep" in refused.err
        assert sorted(folder.rglob("*")) == before


def test_a_stopped_sweep_goes_on_and_another_is_refused(sweep: Path, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event[:2] == ("merge", "start"):
            raise InterruptedRunError("stopped by the test")

    with pytest.raises(InterruptedRunError):
        merge_sweep(load_sweep(sweep), tmp_path / "out", OPTIONS, stop)
    assert run("merge", sweep, tmp_path / "out").code == 0
    sweep.write_text(sweep.read_text().replace("0.7", "0.8"))
    assert run("merge", sweep, tmp_path / "out").code == 6


def test_a_variant_that_is_not_finite_is_named_and_the_others_are_made(
    sweep: Path, tmp_path: Path
) -> None:
    text = sweep.read_text().replace("ties", "task_arithmetic").replace(", density: 0.5", "")
    text = text.replace(", density: 0.3", "").replace("float32", "float16")
    sweep.write_text(text.replace("[0.3, 0.5, 0.7]", "[0.3, 1.0e+9, 0.7]"))
    done = run("merge", sweep, tmp_path / "out")
    assert done.code == 7
    assert "out/02  models[0].parameters.weight=1000000000.0: the merge of tensor" in done.err
    assert "2 of 3 are finished" in done.err
    assert (tmp_path / "out/01/model.safetensors").is_file()
    assert (tmp_path / "out/03/recipe.yaml").is_file()
    assert not (tmp_path / "out/02").exists()
    rows = json.loads((tmp_path / "out/sweep.json").read_text())["variants"]
    assert ["failure" in row for row in rows] == [False, True, False]


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
    skills = suite("skills", search=[short_skills(tmp_path / "short"), *SEARCH_PATH])
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
    record = swept.run.record
    assert record.attempts is not None
    assert record.attempts.count == 2
    assert record.attempts.sweep is not None
    assert record.attempts.sweep.selection_split == "skills-search"
    assert [found.suite for found in record.suites] == ["skills"]
    (kept,) = FolderStore(tmp_path / "workspace/board").load().records
    assert kept.run_key == record.run_key
