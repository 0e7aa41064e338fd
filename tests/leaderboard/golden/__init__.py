"""Rendered examples kept as files: `python -m tests.leaderboard.golden` writes them anew.

They hold the look still; what must be true of any output is tested beside them, independently.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leaderboard.build_board import build_board
from leaderboard.render.ancestry_tree import lineage_list, lineage_markdown
from leaderboard.render.board_export import board_csv
from leaderboard.render.board_table import table_html
from leaderboard.render.forest_plot import forest_lines, forest_plot
from leaderboard.render.lineage_svg import lineage_svg
from leaderboard.render.model_page import model_html
from leaderboard.render.pull_request_report import ReportLinks, report_markdown
from leaderboard.render.scatter_plot import scatter_plot
from leaderboard.render.terminal_table import board_text
from leaderboard.verdict import best_parent
from tests.leaderboard.samples import failed_record, record_of

FOLDER = Path(__file__).parent
GOOD = record_of("good")
BAD = record_of("bad", (0.30, 0.30, 0.30))
BEST = best_parent(GOOD.suites[0])
BOARD = build_board([GOOD, BAD, failed_record()])
LINKS = ReportLinks(
    log="https://example.org/log", commit="3f2a91c", recipe_path="recipes/good.yaml"
)

GOLDEN: dict[str, Callable[[], str]] = {
    "board.txt": lambda: board_text(BOARD),
    "board.csv": lambda: board_csv(BOARD),
    "table.html": lambda: table_html(BOARD, page_of=lambda row: f"models/{row.name}"),
    "model.html": lambda: model_html(BOARD.row("good"), BOARD),
    "model-failed.html": lambda: model_html(BOARD.row("broken"), BOARD),
    "report-better.md": lambda: report_markdown(GOOD, links=LINKS),
    "report-worse.md": lambda: report_markdown(BAD),
    "report-failed.md": lambda: report_markdown(failed_record()),
    "forest.svg": lambda: forest_plot(
        forest_lines(BEST, {"reverse": "Reverse", "sort": "Sort"}), title="good", standalone=True
    ),
    "lineage.svg": lambda: lineage_svg(GOOD.lineage, "good", standalone=True),
    "lineage.md": lambda: lineage_markdown(GOOD.lineage, "good") + "\n",
    "lineage.html": lambda: lineage_list(GOOD.lineage, "good"),
    "scatter.svg": lambda: scatter_plot(BOARD.rows, standalone=True),
}


def write() -> None:
    for name, render in GOLDEN.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
