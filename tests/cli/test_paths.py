"""``~`` is the user's home in every path a command takes, also where no shell expands it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from bot.cli.app import cli
from bot.cli.generate_docs import commands
from tests.cli.commands import run
from tests.families import write_family


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    write_family(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return home


def test_the_home_is_expanded_in_arguments_and_options(home: Path) -> None:
    merged = run("merge", "~/recipe.yaml", "~/out", "--lock", "--json")
    assert merged.json()["model"] == str(home / "out")
    assert (home / "out/model.safetensors").exists()
    assert run("verify", "~/out", "--parents=~").code == 0
    assert run("validate", "~/recipe.yaml", "--report=~/report.md").code == 0
    assert (home / "report.md").exists()
    board = run("leaderboard", "export", "--workspace=~/runs", "--html=~/site")
    assert board.code == 0, board.err
    assert list(Path.cwd().iterdir()) == []


def test_every_path_of_every_command_is_read_alike() -> None:
    plain = [
        f"{name} {parameter.name}"
        for name, command in commands(cli, "mergebot")
        for parameter in command.params
        if type(parameter.type) is click.Path
    ]
    assert plain == []
