"""A workspace from before files named their formats (commit 1a112df) opens as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bot.errors import RecordError
from bot.events import Event
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_recipe import RunOptions, prepare_run
from bot.pipeline.run_stages import run_stages, stage_named
from bot.pipeline.workspace import WORKSPACE_FILE, Workspace
from bot.recipe.load_recipe import load_recipe
from tests.evaluation.conftest import load_mini
from tests.pipeline.conftest import ENGINE, write_models

OLD = Path(__file__).with_name("workspace_1a112df")


@pytest.fixture
def old(tmp_path: Path) -> Workspace:
    shutil.copytree(OLD, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


def test_its_merge_and_its_checks_are_found_done(old: Workspace, tmp_path: Path) -> None:
    recipe = load_recipe(write_models(tmp_path / "family"))
    options = RunOptions(suites=(load_mini(tmp_path / "mini"),), engine=ENGINE)
    seen: list[Event] = []
    run = RunFolder(prepare_run(recipe, old, options), StageTools(report=seen.append))
    (merge,) = (old.root / "merges").iterdir()
    before = {path: path.read_bytes() for path in merge.rglob("*") if path.is_file()}
    run_stages(run, ["resolve", "plan", "merge", "check"])
    assert run.merge_folder == merge
    assert {event.stage for event in seen} == {"resolve"}
    assert stage_named("check").is_done(run)
    after = {path: path.read_bytes() for path in before}
    changed = {path.name for path, data in before.items() if after[path] != data}
    assert changed == {"plan.json"}
    assert json.loads((old.root / WORKSPACE_FILE).read_text()) == {
        "format": "mergebot.workspace",
        "version": 1,
    }


def test_a_newer_workspace_is_refused(old: Workspace) -> None:
    (old.root / WORKSPACE_FILE).write_text('{"format": "mergebot.workspace", "version": 2}')
    with pytest.raises(RecordError, match="made by a newer mergebot") as caught:
        old.prepare()
    assert caught.value.hint == "upgrade mergebot"
