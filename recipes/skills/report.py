"""``python recipes/skills/report.py``: run every recipe of the family on the report split.

Puts the board into this folder's README, with how it was made. Recipes are tuned on the search
split; this is the one look at the other.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bot.evaluation.suite_catalog import suite
from bot.events import Event
from bot.pipeline.machine_info import machine, versions
from bot.pipeline.run_recipe import RunOptions, run
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import load_recipe
from leaderboard.board import Row
from leaderboard.build_board import build_board
from leaderboard.number_format import MISSING, half_width, interval, p_value, points, signed
from leaderboard.record_store import FolderStore

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
HEADER = (
    "| model | method | mean | against its best parent | p | after Holm | verdict |\n"
    "|---|---|---:|---:|---:|---:|---|"
)


def main(workspace: Path) -> None:
    """Run the recipes, then write the table."""
    place = Workspace(workspace)
    options = RunOptions(suites=(suite("skills"),))
    for path in sorted(HERE.glob("*.yaml")):
        print(path.name)
        run(load_recipe(path), workspace=place, options=options, report=_say)
    board = build_board(FolderStore(place.board).load().records, suite="skills")
    lines = [BEGIN, *_how(sum(task.n for task in board.tasks)), "", HEADER]
    lines += [*(_line(row) for row in board.rows), END]
    text = README.read_text("utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(head + "\n".join(lines) + tail, "utf-8")


def _how(items: int) -> list[str]:
    facts, found = machine(), versions()
    recipes = len(list(HERE.glob("*.yaml")))
    where = f"{facts['cpu']}, torch {found.get('torch')}, lm-eval {found.get('lm-eval')}"
    return [
        f"{recipes} recipes, {time.strftime('%Y-%m-%d')}, {where};",
        "written by `python recipes/skills/report.py`. Scores are percent over",
        f"{items:,} items with half of their 95 % interval; differences are paired, item by item.",
    ]


def _line(row: Row) -> str:
    score = points(row.headline.value) if row.headline else MISSING
    half = half_width(row.headline.low, row.headline.high) if row.headline else ""
    judgement = row.judgement
    if judgement is None or judgement.delta is None:
        cells = [row.name, MISSING, f"{score} {half}", MISSING, MISSING, MISSING, row.kind]
    else:
        delta = f"{signed(judgement.delta)} {interval(judgement.low, judgement.high)}"
        p = p_value(judgement.p) if judgement.p is not None else MISSING
        holm = p_value(row.adjusted_p) if row.adjusted_p is not None else MISSING
        verdict = f"{judgement.verdict.symbol} {judgement.verdict.value}"
        cells = [row.name, row.method or MISSING, f"{score} {half}", delta, p, holm, verdict]
    return "| " + " | ".join(cells) + " |"


def _say(event: Event) -> None:
    if event.kind == "end":
        print(f"  {event.stage} {event.item}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("workspace"))
