"""``mergebot stage``: one stage of a run, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.hub_connection import ancestors, fetching
from bot.cli.options import rehash_option, workspace_option
from bot.cli.output import Output, output_options
from bot.cli.publish import operator_of_run
from bot.errors import MergebotError
from bot.pipeline.find_run import find_run
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_stages import NAMES, STAGES, run_stages, stage_named
from bot.pipeline.stage import Stage
from bot.pipeline.workspace import Workspace


@click.command(
    epilog="""\b
Examples:
  mergebot run my.yaml --prepare
  mergebot stage workspace/runs/1a2b3c4d5e6f7a8b resolve
  mergebot stage 1a2b3c4d plan merge check
  mergebot stage my-merge

This is plumbing for queues and scripts: `mergebot run` does the same in one
process and ends in the same bytes. RUN is the folder that `--prepare` prints,
the beginning of its name or of the run's key, or the recipe's name.

\b
The stages, in order: resolve, plan, preflight, merge, check, evaluate,
compare, record, card, publish. Each needs the ones before it. Without a NAME
the stages are listed with what they leave and whether they are done.
docs/pipeline.md says more.

\b
Exit codes: those of `mergebot run`, and 2 where an earlier stage is not
done. See docs/cli.md."""
)
@click.argument("run")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@workspace_option
@rehash_option
@output_options
@click.pass_obj
def stage(out: Output, run: str, names: tuple[str, ...], workspace: Path, *, rehash: bool) -> None:
    """Run the stage NAME of RUN from its folder (plumbing)."""
    for name in names:
        stage_named(name)
    folder = find_run(Workspace(workspace), run)
    place = Workspace(folder.parent.parent)
    place.prepare()
    tools = StageTools(
        report=out.report,
        hub=fetching(digests=place.digests(rehash=rehash)),
        card_of=ancestors(),
        rehash=rehash,
        operator=operator_of_run,
    )
    running = RunFolder(folder, tools)
    if names:
        run_stages(running, names)
    rows = [row_of(one, running) for one in STAGES if not names or one.name in names]
    out.close()
    table = [[row["stage"], row["state"], "\n".join(row["leaves"])] for row in rows]
    out.result(rows, out.table(table, ["stage", "state", "leaves"]))


def row_of(one: Stage, run: RunFolder) -> dict[str, str | list[str]]:
    """A stage's name, key, state and files; what is not known before another stage is left out."""
    row: dict[str, str | list[str]] = {"stage": one.name, "state": "not done", "leaves": []}
    try:
        row["leaves"] = [str(path) for path in one.leaves(run)]
        row["key"] = one.key(run)
        row["state"] = "done" if one.is_done(run) else "not done"
    except MergebotError:
        return row  # an earlier stage has to say first what this one is about
    return row


__all__ = ["NAMES", "row_of", "stage"]
