"""``mergebot leaderboard``: show and export the board of a workspace."""

from __future__ import annotations

from pathlib import Path

import click
from leaderboard.render.export import FORMATS, export_board
from leaderboard.render.table import board_table

from bot.cli.options import workspace_option
from bot.cli.output import Output, output_options
from bot.runner.board import load_board
from bot.runner.workspace import Workspace
from leaderboard.ranking import Board, build_board


@click.group()
def leaderboard() -> None:
    """Show and export the board of a workspace."""


@leaderboard.command(
    epilog="""\b
Examples:
  mergebot leaderboard show
  mergebot leaderboard show --suite skills --workspace demo"""
)
@workspace_option
@click.option("--suite", help="Suite to rank by; the newest run's by default.")
@output_options
@click.pass_obj
def show(out: Output, workspace: Path, suite: str | None) -> None:
    """Print the ranked table."""
    board = open_board(out, workspace, suite)
    out.result([row_data(board, row.key) for row in board.rows], board_table(board))


@leaderboard.command(
    epilog="""\b
Examples:
  mergebot leaderboard export --format csv > board.csv
  mergebot leaderboard export --format parquet --output board.parquet"""
)
@workspace_option
@click.option("--suite", help="Suite to rank by; the newest run's by default.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="File; stdout for text formats.")
@output_options
@click.pass_obj
def export(out: Output, workspace: Path, suite: str | None, form: str, output: Path | None) -> None:
    """Write the table as CSV, JSON or parquet."""
    data = export_board(open_board(out, workspace, suite), form)
    if output is not None:
        output.write_bytes(data)
        out.result({"written": str(output), "bytes": len(data)}, f"wrote {output}")
    elif form == "parquet":
        raise click.UsageError("Parquet is binary: give --output.")
    else:
        click.echo(data.decode(), nl=False)


def open_board(out: Output, workspace: Path, suite: str | None) -> Board:
    """The workspace's board; records that cannot be read are named and left out."""
    loaded = load_board(Workspace(workspace))
    for problem in loaded.problems:
        out.note(f"left out: {problem.message}")
    if not loaded.records:
        out.note(f"no runs in {workspace} yet; try: mergebot demo")
    return build_board(loaded.records, suite=suite)


def row_data(board: Board, key: str) -> dict[str, object]:
    """A row for programs."""
    row = board.row(key)
    judgement = row.judgement
    return {
        "key": row.key,
        "name": row.name,
        "kind": row.kind,
        "rank": [row.rank_low, row.rank_high],
        "score": row.headline.value if row.headline else None,
        "low": row.headline.low if row.headline else None,
        "high": row.headline.high if row.headline else None,
        "verdict": judgement.verdict.value if judgement else None,
        "delta": judgement.delta if judgement else None,
        "p": judgement.p if judgement else None,
        "holds_after_correction": row.holds,
        "method": row.method,
        "parents": list(row.parents),
        "parameters": row.parameters,
        "licence": row.licence,
    }
