"""``mergebot demo``: runs all stages on models that come with the project, offline."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from bot.cli.options import UserPath
from bot.cli.output import Output, output_options
from bot.cli.run import run_data
from bot.cli.suites import load_suites
from bot.errors import EnvironmentMissingError
from bot.evaluation.suite_catalog import SEARCH_PATH
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.find_record import load_board
from bot.pipeline.run_recipe import RunOptions
from bot.pipeline.run_recipe import run as run_recipe
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import load_recipe
from leaderboard.build_board import build_board
from leaderboard.render.terminal_table import board_text
from leaderboard.verdict import judge, sentence

RECIPE = Path("skills/task-arithmetic.yaml")


@click.command(
    epilog="""\b
Examples:
  mergebot demo
  mergebot demo --workspace /tmp/demo

Takes a few minutes the first time and seconds after that."""
)
@click.option(
    "--workspace",
    type=UserPath(folder=True),
    default=Path("demo"),
    show_default=True,
    help="Folder for the merge, the scores and the board.",
)
@output_options
@click.pass_obj
def demo(out: Output, workspace: Path) -> None:
    """Merge tiny fine-tunes, test the merge against every parent, show the board."""
    recipe = load_recipe(demo_recipe())
    out.note(f"recipe    {recipe.file}")
    options = RunOptions(
        suites=load_suites(recipe.about.suites, workspace=workspace, report=out.report),
        engine=EngineOptions(),
    )
    place = Workspace(workspace)
    ran = run_recipe(recipe, workspace=place, options=options, report=out.report)
    out.close()
    board = build_board(load_board(place).records, suite="skills")
    verdict = sentence(judge(ran.record, required=ran.required), ran.record.name)
    lines = [
        board_text(board),
        verdict,
        "",
        f"the card   {ran.card}",
        f"next       {program()} verify {ran.model}",
    ]
    out.result(run_data(ran), "\n".join(lines))


def program() -> str:
    """How to call mergebot from this shell: by name, or by the path it was called with."""
    if shutil.which("mergebot"):
        return "mergebot"
    called = Path(sys.argv[0])
    if called.name != "mergebot":
        return "python -m bot"
    return os.path.relpath(called)


def demo_recipe() -> Path:
    """The recipe of the skills family, in a clone or in an installed package.

    Raises:
        EnvironmentMissingError: the family was not installed with the package.
    """
    for folder in SEARCH_PATH:
        if (folder / RECIPE).is_file():
            return folder / RECIPE
    raise EnvironmentMissingError(
        "the skills family is not here", hint="reinstall mergebot, or run inside a clone"
    )
