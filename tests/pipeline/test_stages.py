"""Each stage of a run: what it needs, when it is done, and that it makes the same again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import CheckpointError, RecordError, UsageError
from bot.events import Event
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.find_run import find_run
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_settings import RUN_FILE, read_settings, settings_of, write_settings
from bot.pipeline.run_stages import NAMES, STAGES, run_stages, stage_named
from bot.pipeline.workspace import WORKSPACE_FILE, Workspace
from bot.recipe.load_recipe import load_recipe
from leaderboard.record_provenance import Sweep
from tests.families import flip_bit, write_family
from tests.pipeline.conftest import NOW, Journey

FINISHED = tuple(name for name in NAMES if name != "publish")


@pytest.fixture
def family_run(tmp_path: Path) -> RunFolder:
    """A run over a small family, with no suite, before its first stage."""
    recipe = load_recipe(write_family(tmp_path / "family"))
    workspace = Workspace(tmp_path / "workspace")
    workspace.prepare()
    settings = settings_of(recipe, (), engine=EngineOptions(threads=2))
    folder = workspace.run(settings.request_key)
    write_settings(folder, settings)
    return RunFolder(folder, StageTools(clock=lambda: NOW))


def anew(run: RunFolder) -> RunFolder:
    """The run as another process sees it."""
    return RunFolder(run.folder, run.tools)


@pytest.fixture
def finished(journey: Journey, tmp_path: Path) -> RunFolder:
    """A copy of a run that has ended, with its whole workspace."""
    shutil.copytree(journey.workspace.root, tmp_path / "copy")
    (folder,) = [path.parent for path in (tmp_path / "copy/runs").glob(f"*/{RUN_FILE}")]
    return RunFolder(folder, StageTools(clock=lambda: NOW))


def without_record(run: RunFolder) -> None:
    """Take the run off the board: what has a record needs no scores."""
    (run.board.records / f"{run.run_key}.json").unlink()


@pytest.mark.heavy
@pytest.mark.parametrize("name", FINISHED)
def test_a_stage_that_lost_its_files_makes_the_same_again(name: str, finished: RunFolder) -> None:
    stage = stage_named(name)
    assert stage.is_done(finished)
    if name in {"preflight", "evaluate", "compare"}:
        without_record(finished)
        assert stage.is_done(anew(finished))
    before = {path: path.read_bytes() for path in stage.leaves(finished)}
    if name == "merge":
        shutil.rmtree(finished.model)
    for path in before:
        path.unlink(missing_ok=True)
    assert not stage.is_done(anew(finished))
    run_stages(anew(finished), [name])
    assert stage.is_done(anew(finished))
    after = {path: path.read_bytes() for path in before}
    if name == "merge":  # time and memory are measured anew
        before.pop(finished.merge_folder / "merge.json")
        after.pop(finished.merge_folder / "merge.json")
    assert after == before


@pytest.mark.heavy
def test_a_finished_run_does_nothing_again(finished: RunFolder) -> None:
    seen: list[Event] = []
    again = RunFolder(finished.folder, StageTools(report=seen.append, clock=lambda: NOW))
    run_stages(again)
    assert seen == []


@pytest.mark.heavy
def test_keys_name_what_they_should(finished: RunFolder) -> None:
    keys = {stage.name: stage.key(finished) for stage in STAGES}
    lock = json.loads((finished.folder / "recipe.lock.json").read_text())
    assert keys["merge"] == keys["plan"] == lock["merge_key"]
    manifest = json.loads((finished.model / "digests.json").read_text())
    assert keys["check"] == manifest["model"]
    (record,) = finished.board.load().records
    assert keys["record"] == keys["card"] == record.run_key
    assert keys["resolve"].startswith(finished.folder.name)


def test_every_stage_says_what_it_is() -> None:
    assert NAMES == (
        "resolve", "plan", "preflight", "merge", "check", "evaluate", "compare", "record", "card",
        "publish",
    )  # fmt: skip
    for number, stage in enumerate(STAGES):
        assert set(stage.needs) <= set(NAMES[:number])
        assert type(stage).__doc__
    with pytest.raises(UsageError, match="no stage 'evaluat'") as caught:
        stage_named("evaluat")
    assert "evaluate" in (caught.value.hint or "")


def test_the_docs_list_the_stages_with_what_they_need() -> None:
    text = (Path(__file__).parent.parent.parent / "docs/pipeline.md").read_text("utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    assert [row[1].strip(" `") for row in rows] == list(NAMES)
    for row, stage in zip(rows, STAGES, strict=True):
        assert row[2].strip(" `") == (stage.needs[0] if stage.needs else "the recipe")


def test_a_stage_names_the_stage_it_needs(family_run: RunFolder) -> None:
    with pytest.raises(RecordError, match="not been resolved") as unresolved:
        run_stages(family_run, ["merge"])
    assert f"mergebot stage {family_run.folder} resolve" in (unresolved.value.hint or "")
    run_stages(anew(family_run), ["resolve"])
    with pytest.raises(UsageError, match="stage merge needs stage plan") as caught:
        run_stages(anew(family_run), ["merge"])
    assert caught.value.hint == f"mergebot stage {family_run.folder} plan"


def test_stages_go_on_from_the_folder_alone(family_run: RunFolder) -> None:
    assert not stage_named("resolve").is_done(anew(family_run))
    for name in ("resolve", "plan", "merge"):
        run_stages(anew(family_run), [name])
        assert stage_named(name).is_done(anew(family_run))
    made = anew(family_run)
    manifest = json.loads((made.model / "digests.json").read_text())
    assert made.model_digest == manifest["model"]


def test_a_parent_that_changed_is_resolved_anew(family_run: RunFolder) -> None:
    run_stages(family_run, ["resolve", "plan"])
    first = family_run.run_key
    flip_bit(family_run.folder.parent.parent.parent / "family/second/model.safetensors")
    assert not stage_named("resolve").is_done(anew(family_run))
    with pytest.raises(UsageError, match="stage plan needs stage resolve"):
        run_stages(anew(family_run), ["plan"])
    with pytest.raises(CheckpointError, match=r"second is not what it was") as caught:
        anew(family_run).parents.pins()
    assert "run the recipe again" in (caught.value.hint or "")
    again = anew(family_run)
    run_stages(again, ["resolve"])
    assert again.run_key != first


def test_a_parent_that_changed_after_a_sweep_chose_is_refused(family_run: RunFolder) -> None:
    sweep = Sweep(name="s", trials=3, selection_split="search")
    settings = read_settings(family_run.folder)
    chosen = settings_of(settings.load_recipe(), (), engine=settings.engine, sweep=sweep)
    folder = family_run.workspace.run(chosen.request_key)
    write_settings(folder, chosen)
    run_stages(RunFolder(folder), ["resolve"])
    flip_bit(family_run.folder.parent.parent.parent / "family/second/model.safetensors")
    with pytest.raises(CheckpointError, match="since the sweep chose this variant"):
        run_stages(RunFolder(folder), ["resolve"])


def test_a_model_that_was_changed_is_not_done_and_not_made_again(family_run: RunFolder) -> None:
    run_stages(family_run, ["resolve", "plan", "merge"])
    flip_bit(family_run.model / "model.safetensors")
    with pytest.raises(CheckpointError, match="is not what the merge made"):
        run_stages(anew(family_run), ["check"])


@pytest.mark.parametrize("name", ["run.json", "resolved.json", "recipe.lock.json"])
def test_a_torn_file_of_a_run_is_named_or_made_again(name: str, family_run: RunFolder) -> None:
    run_stages(family_run, ["resolve"])
    (family_run.folder / name).write_text("{")
    if name == "resolved.json":
        run_stages(anew(family_run), ["resolve"])
        assert stage_named("resolve").is_done(anew(family_run))
    else:
        with pytest.raises(RecordError, match=name):
            run_stages(anew(family_run), ["resolve"])


def newer(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"version": content["version"] + 1}))


@pytest.mark.parametrize(
    "of",
    [
        lambda run: run.folder / "run.json",
        lambda run: run.folder / "resolved.json",
        lambda run: run.folder / "recipe.lock.json",
        lambda run: run.merge_folder / "plan.json",
        lambda run: run.merge_folder / "merge.json",
        lambda run: run.merge_folder / "recipe.lock.json",
        lambda run: run.workspace.root / WORKSPACE_FILE,
    ],
)
def test_whatever_is_newer_is_refused(
    of: Callable[[RunFolder], Path], family_run: RunFolder
) -> None:
    run_stages(family_run, ["resolve", "plan", "merge"])
    newer(of(family_run))

    def again() -> None:
        family_run.workspace.prepare()
        run_stages(anew(family_run), ["resolve", "plan", "merge"])

    with pytest.raises(RecordError, match="made by a newer mergebot") as caught:
        again()
    assert caught.value.hint == "upgrade mergebot"


def test_a_run_is_found_by_folder_key_and_name(family_run: RunFolder) -> None:
    workspace, folder = family_run.workspace, family_run.folder
    assert find_run(workspace, str(folder)) == folder.resolve()
    assert find_run(workspace, folder.name[:6]) == folder
    assert find_run(workspace, "small-ties") == folder
    run_stages(family_run, ["resolve"])
    assert find_run(workspace, family_run.run_key[:8]) == folder
    with pytest.raises(RecordError, match="no run 'nothing'") as caught:
        find_run(workspace, "nothing")
    assert "small-ties" in (caught.value.hint or "")
