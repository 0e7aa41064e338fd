"""``mergebot card``: the model card of a run, rendered from its record alone."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.options import workspace_option
from bot.cli.output import Output, output_options
from bot.lineage.model_card import render_card
from bot.pipeline.find_record import board_suite, find_record
from bot.pipeline.workspace import Workspace
from leaderboard.render.pull_request_report import report_markdown


@click.command(
    epilog="""\b
Examples:
  mergebot card 1a2b3c4d
  mergebot card 1a2b3c4d > README.md
  mergebot card 1a2b3c4d --report > comment.md

RUN is a run's key or its beginning; `mergebot leaderboard show` lists them.

\b
Exit codes: 0 done, 2 usage, 16 no such run. See docs/cli.md."""
)
@click.argument("run")
@click.option("--report", is_flag=True, help="The short report for a pull request instead.")
@workspace_option
@output_options
@click.pass_obj
def card(out: Output, run: str, report: bool, workspace: Path) -> None:
    """Print the card of RUN."""
    place = Workspace(workspace)
    record, suite = find_record(place, run), board_suite(place)
    make = report_markdown if report else render_card
    text = make(record, required=suite)
    kind = "report" if report else "card"
    out.result({"run_key": record.run_key, kind: text}, text.rstrip())
