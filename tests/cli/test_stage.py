"""``mergebot run --prepare`` and ``mergebot stage`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.families import write_family


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a prepared run."""
    recipe = write_family(tmp_path / "family")
    done = run("run", recipe, "--prepare", "--workspace", tmp_path / "ws")
    assert done.code == 0, done.err
    return Path(done.out.strip())


def test_preparing_does_no_work(folder: Path, tmp_path: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["run.json"]
    assert folder.parent == tmp_path / "ws/runs"
    assert not (tmp_path / "ws/merges").exists()


def test_stages_run_from_the_folder(folder: Path, tmp_path: Path) -> None:
    done = run("stage", folder, "resolve", "plan", "merge", "--json")
    assert done.code == 0, done.err
    assert [row["stage"] for row in done.json()] == ["resolve", "plan", "merge"]
    assert {row["state"] for row in done.json()} == {"done"}
    (model,) = (tmp_path / "ws/merges").glob("*/model")
    alone = run("merge", tmp_path / "family/recipe.yaml", tmp_path / "alone", "--json")
    manifest = json.loads((model / "digests.json").read_text())
    assert manifest["model"] == alone.json()["model_digest"]


def test_a_run_is_named_by_its_key_or_its_recipe(folder: Path, tmp_path: Path) -> None:
    for word in (folder.name[:8], "small-ties"):
        done = run("stage", word, "resolve", "--workspace", tmp_path / "ws")
        assert done.code == 0, done.err
    missing = run("stage", "nothing", "resolve", "--workspace", tmp_path / "ws")
    assert missing.code == 16
    assert folder.name in missing.err


def test_stages_are_listed_with_their_state(folder: Path) -> None:
    run("stage", folder, "resolve")
    rows = {row["stage"]: row["state"] for row in run("stage", folder, "--json").json()}
    assert rows["resolve"] == "done"
    assert rows["merge"] == rows["card"] == "not done"


def test_a_stage_before_its_turn_is_refused(folder: Path) -> None:
    run("stage", folder, "resolve")
    refused = run("stage", folder, "merge")
    assert refused.code == 2
    assert "stage merge needs stage plan" in refused.err
    assert f"mergebot stage {folder} plan" in refused.err


def test_a_misspelt_stage_does_nothing(folder: Path) -> None:
    refused = run("stage", folder, "resolv")
    assert refused.code == 2
    assert "resolve" in refused.err
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_a_sweep_cannot_be_prepared(tmp_path: Path) -> None:
    recipe = write_family(tmp_path / "family")
    text = recipe.read_text().replace("weight: 0.5,", "weight: {sweep: [0.3, 0.5]},")
    recipe.write_text(text)
    refused = run("run", recipe, "--prepare", "--workspace", tmp_path / "ws")
    assert refused.code == 2
    assert "is a sweep" in refused.err
