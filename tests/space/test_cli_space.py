"""``mergebot space`` on a workspace, without serving it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from bot.cli.app import run_command
from bot.cli.output import Output
from bot.cli.space import WorkspaceSamples, WorkspaceWeights, local_space
from bot.pipeline.json_formats import MERGE, write_document
from bot.pipeline.workspace import Workspace
from leaderboard.record_store import FolderStore
from space_app.deployed_main import settings_from
from tests.hub_server import serve
from tests.leaderboard.samples import record_of
from tests.present import present


def ask(*arguments: str) -> int:
    return run_command(["space", *arguments], Output.from_flags(arguments))


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """A workspace with one run, its model folder, and a parent beside its recipe."""
    place = Workspace(tmp_path / "ws")
    record = record_of("mine")
    parents = tuple(
        parent.model_copy(update={"ref": "./models/base"}) if parent.key == "base" else parent
        for parent in record.parents
    )
    record = record.model_copy(update={"parents": parents, "publication": None})
    FolderStore(place.board).add(record)
    recipes = tmp_path / "recipes"
    (recipes / "models/base").mkdir(parents=True)
    (place.merge(record.merge_key) / "model").mkdir(parents=True)
    write_document(
        place.merge(record.merge_key) / "merge.json", MERGE, {"recipe_folder": str(recipes)}
    )
    return place


def test_the_space_stands_on_the_workspaces_own_board(place: Workspace) -> None:
    space = local_space(place, recipes="org/recipes")
    snapshot = space.context.live.current
    assert [row.name for row in snapshot.board.rows] == ["mine", "sort-ft", "base"]
    assert space.context.settings.examples["skills"]
    assert len(space.context.settings.salt) == 32
    assert local_space(place).context.settings.salt == space.context.settings.salt


def test_weights_are_found_where_the_run_left_them(place: Workspace) -> None:
    rows = {row.name: row for row in local_space(place).context.live.current.all_rows}
    weights = WorkspaceWeights(place)
    assert weights(rows["mine"]) == (str(place.merge("merge-mine") / "model"), None)
    local = weights(rows["base"])
    assert local is not None
    assert Path(local.location).name == "base"
    pinned = present(rows["sort-ft"].parent).revision
    assert weights(rows["sort-ft"]) == ("skills/sort-ft", pinned)
    assert present(weights.recipe_folder(rows["mine"])).name == "recipes"
    assert weights.recipe_folder(rows["base"]) is None


def test_samples_are_none_where_nothing_was_evaluated(place: Workspace) -> None:
    assert WorkspaceSamples(place)("sha-1", "base") is None


def test_the_folder_is_written_instead_of_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("--folder", str(tmp_path / "out"), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path / "out")}
    assert (tmp_path / "out/app.py").is_file()
    examples = json.loads((tmp_path / "out/space_app/examples.json").read_text("utf-8"))
    assert examples["skills"]


def test_deploying_needs_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("--deploy", "org/board") == 2
    assert "--board ORG/NAME" in capsys.readouterr().err


def test_deploying_sets_every_variable_and_the_votes_dataset_is_read_from_it(
    tmp_path: Path,
) -> None:
    with serve(tmp_path / "hub") as server:
        command = [
            sys.executable, "-m", "bot", "space", "--deploy", "tester/board",
            "--board", "tester/results", "--votes", "tester/votes", "--recipes", "org/recipes",
            "--hardware", "cpu-basic", "--json",
        ]  # fmt: skip
        here = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            command, env=here | server.env(tmp_path / "home"), capture_output=True, text=True,
            timeout=1000, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "MERGEBOT_SALT" in json.loads(done.stdout)["secrets"]
        api = HfApi(endpoint=server.endpoint, token=server.token())
        variables = api.get_space_variables("tester/board")
    words = {name: variable.value for name, variable in variables.items()}
    assert words == {
        "MERGEBOT_BOARD": "tester/results",
        "MERGEBOT_RECIPES": "org/recipes",
        "MERGEBOT_VOTES_DATASET": "tester/votes",
    }
    found = settings_from(words | {"MERGEBOT_SALT": "s", "MERGEBOT_CACHE": str(tmp_path / "c")})
    assert found.votes_dataset == "tester/votes"
