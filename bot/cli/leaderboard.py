"""``mergebot leaderboard``: shows, exports and builds the board of a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.options import UserPath, workspace_option
from bot.cli.output import Output, output_options
from bot.cli.retract import retract
from bot.errors import UsageError
from bot.pipeline.find_record import load_board
from bot.pipeline.workspace import Workspace
from leaderboard.board import Board
from leaderboard.build_board import build_board
from leaderboard.render.board_export import board_csv, board_json, board_parquet, board_records
from leaderboard.render.terminal_table import board_text
from leaderboard.site import write_site

FORMATS = ("csv", "json", "parquet")


@click.group()
def leaderboard() -> None:
    """Show and export the board of a workspace, take runs back."""


leaderboard.add_command(retract)


@leaderboard.command(
    epilog="""\b
Examples:
  mergebot leaderboard show
  mergebot leaderboard show --suite skills --workspace demo"""
)
@workspace_option
@click.option("--suite", help="Required suite; that of most runs by default.")
@output_options
@click.pass_obj
def show(out: Output, workspace: Path, suite: str | None) -> None:
    """Print the ranked table."""
    board = open_board(out, workspace, suite)
    out.result(board_records(board), board_text(board))


@leaderboard.command(
    epilog="""\b
Examples:
  mergebot leaderboard export --format csv > board.csv
  mergebot leaderboard export --format parquet --output board.parquet
  mergebot leaderboard export --html ./site"""
)
@workspace_option
@click.option("--suite", help="Required suite; that of most runs by default.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--output", type=UserPath(), help="File; stdout for text formats.")
@click.option(
    "--html",
    "site",
    type=UserPath(folder=True),
    help="Write a folder of plain HTML that needs no server.",
)
@output_options
@click.pass_obj
def export(
    out: Output,
    workspace: Path,
    suite: str | None,
    form: str,
    output: Path | None,
    site: Path | None,
) -> None:
    """Write the table as CSV, JSON, parquet, or as a static site."""
    board = open_board(out, workspace, suite)
    if site is not None:
        write_site(board, site)
        out.result({"written": str(site)}, f"open {site / 'index.html'}")
        return
    if out.json and output is None:
        form = "json"
    if form == "parquet" and output is None:
        raise click.UsageError("Parquet is binary: give --output.")
    if form == "parquet":
        data = board_parquet(board)
    else:
        data = (board_json if form == "json" else board_csv)(board).encode()
    if output is None:
        click.echo(data.decode(), nl=False)
    else:
        output.write_bytes(data)
        out.result({"written": str(output), "bytes": len(data)}, f"wrote {output}")


@leaderboard.command(
    epilog="""\b
Examples:
  mergebot leaderboard build
  mergebot leaderboard build --workspace demo"""
)
@workspace_option
@click.option("--suite", help="Required suite; that of most runs by default.")
@output_options
@click.pass_obj
def build(out: Output, workspace: Path, suite: str | None) -> None:
    """Build the tables and pages from the records, in the workspace's board folder."""
    site = Workspace(workspace).board / "site"
    write_site(open_board(out, workspace, suite), site)
    out.result({"written": str(site)}, f"open {site / 'index.html'}")


def open_board(out: Output, workspace: Path, suite: str | None) -> Board:
    """The workspace's board; records that cannot be read are named and left out."""
    loaded = load_board(Workspace(workspace))
    for problem in loaded.problems:
        out.note(f"left out: {problem.message}")
    if not loaded.records:
        out.note(f"no runs in {workspace} yet; try: mergebot demo")
    known = sorted({found.suite for record in loaded.records for found in record.suites})
    if suite is not None and known and suite not in known:
        raise UsageError(f"no run was evaluated on {suite!r}", hint=f"suites: {', '.join(known)}")
    board = build_board(loaded.records, suite=suite)
    if board.suite is None:
        return board
    from bot.cli.space import WorkspaceSamples

    kept, digest = WorkspaceSamples(Workspace(workspace)), board.suite.digest
    return build_board(loaded.records, suite=suite, samples=lambda model: kept(digest, model))
