"""``mergebot run``: takes recipes through all stages of a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.hub_connection import ancestors, fetching
from bot.cli.options import (
    UserPath,
    batch_size_option,
    chat_template_option,
    datasets_option,
    engine_options,
    rehash_option,
    suite_option,
    workspace_option,
)
from bot.cli.output import Output, output_options
from bot.cli.publish import (
    announced_data,
    announced_text,
    make_operator,
    operator_of_run,
    operator_options,
)
from bot.cli.suites import load_suites
from bot.errors import UsageError
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.run_recipe import RunOptions, RunResult, prepare_run
from bot.pipeline.run_recipe import run as run_recipe
from bot.pipeline.run_settings import PublishSettings
from bot.pipeline.run_sweep import SweepResult, run_sweep
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe import Recipe
from bot.recipe.sweep import Variant, load_sweep
from leaderboard.number_format import points
from leaderboard.verdict import judge, sentence

if TYPE_CHECKING:
    from bot.pipeline.publishing import Operator


@click.command(
    epilog="""\b
Examples:
  mergebot run recipes/skills/task-arithmetic-four.yaml
  mergebot run my.yaml --suite quick --workspace /data/mergebot
  mergebot run a.yaml b.yaml --json
  mergebot run my.yaml --publish my-org --policy not-worse
  mergebot run sweep.yaml    # weight: {sweep: [0.3, 0.5]}

A run that was stopped goes on where it was; a finished one is shown again.
Each run has a folder with a log: WORKSPACE/runs/KEY/log.jsonl.

\b
--json prints a list with run_key, verdict, model, card, fresh and record of
each run. For a sweep it has `sweep` too: `chosen` is a variant's label, and
`trials` has label, score (on the search split) and passed of every variant.

\b
Exit codes: 0 done (whatever the verdict), 2 usage, 3 recipe, 4 plan, 5 a
parent's files, 6 disk or memory, 7 not finite, 8 failed its checks,
9 evaluation, 10 not comparable, 11 the Hub, 12 no access, 13 license,
14 missing extra or device, 16 a broken record, 17 not published,
130 interrupted. See docs/cli.md."""
)
@click.argument("recipes", nargs=-1, required=True, type=UserPath())
@workspace_option
@suite_option()
@batch_size_option
@datasets_option
@chat_template_option
@click.option("--update", is_flag=True, help="Look branches on the Hub up again.")
@rehash_option
@engine_options
@click.option(
    "--prepare",
    is_flag=True,
    help="Only make the runs' folders and print them; see `mergebot stage`.",
)
@click.option(
    "--publish", "organisation", metavar="ORG", help="Publish as this user or organisation."
)
@operator_options
@output_options
@click.pass_obj
def run(
    out: Output,
    /,
    recipes: tuple[Path, ...],
    workspace: Path,
    suite_names: tuple[str, ...],
    batch_size: int | None,
    datasets: Path | None,
    chat_template: str | None,
    update: bool,
    rehash: bool,
    device: str,
    threads: int,
    memory: int | None,
    out_shard_size: int,
    prepare: bool,
    organisation: str | None,
    **publishing: Any,
) -> None:
    """Merge, check, evaluate, compare, document and rank recipes."""
    engine = EngineOptions(
        device=device, threads=threads, memory=memory, shard_bytes=out_shard_size
    )
    operator = None if organisation is None else make_operator(organisation, publishing)
    if operator is not None:
        require_access(operator)
    publish = None
    if organisation is not None:
        publish = PublishSettings(organisation=organisation, **publishing)
    options = RunOptions(
        suites=(),
        engine=engine,
        batch_size=batch_size,
        update=update,
        rehash=rehash,
        publish=publish,
        operator=operator_of_run,
    )
    planned = []
    for variants in map(load_sweep, recipes):
        names = suite_names or suites_of(variants[0].recipe)
        suites = load_suites(
            names, datasets, workspace=workspace, report=out.report, chat_template=chat_template
        )
        planned.append((variants, replace(options, suites=suites)))
    place = Workspace(workspace)
    if prepare:
        prepare_runs(out, planned, place)
        return
    ended = []
    for variants, chosen in planned:
        with recording_failures(place, operator):
            ended.append(run_variants(out, variants, place, chosen))
    out.close()
    data = [run_data(ran, swept) for ran, swept in ended]
    out.result(data, "\n\n".join(run_text(ran) for ran, _ in ended))
    out.note(f"\nthe board: mergebot leaderboard show --workspace {workspace}")


def prepare_runs(
    out: Output, planned: Sequence[tuple[Sequence[Variant], RunOptions]], place: Workspace
) -> None:
    """Make the folders of runs and print them.

    Raises:
        UsageError: a recipe is a sweep, whose variants are chosen among in one process.
    """
    for variants, _ in planned:
        if variants[0].choices:
            raise UsageError(
                f"{variants[0].recipe.file} is a sweep and cannot be run stage by stage",
                hint="run it without --prepare, or write its variants as recipes",
            )
    folders = [str(prepare_run(variants[0].recipe, place, chosen)) for variants, chosen in planned]
    out.close()
    out.result(folders, "\n".join(folders))


def run_variants(
    out: Output, variants: Sequence[Variant], place: Workspace, options: RunOptions
) -> tuple[RunResult, SweepResult | None]:
    """Run a recipe; of a sweep, choose a variant on the search split and run that one."""
    hub, cards = fetching(digests=place.digests(rehash=options.rehash)), ancestors()
    if not variants[0].choices:
        ran = run_recipe(
            variants[0].recipe,
            workspace=place,
            options=options,
            report=out.report,
            hub=hub,
            card_of=cards,
        )
        return ran, None
    swept = run_sweep(
        variants, workspace=place, options=options, report=out.report, hub=hub, card_of=cards
    )
    rows = [
        ["→" if trial.label == swept.chosen else "", trial.label, points(trial.score)]
        for trial in swept.trials
    ]
    out.note_table(out.table(rows, ["", "variant", "search split"], right=[2]))
    return swept.run, swept


def suites_of(recipe: Recipe) -> tuple[str, ...]:
    """The suites a recipe asks for.

    Raises:
        UsageError: it asks for none.
    """
    if not recipe.about.suites:
        raise UsageError(
            f"{recipe.file} names no suites",
            hint="add `suites: [quick]` to the recipe, or give --suite; see `mergebot suites`",
        )
    return recipe.about.suites


def require_access(operator: Operator) -> None:
    """Refuse before any work what could not be published after it."""
    from bot.hub.visibility import require_member

    if not operator.create_pr:
        require_member(operator.hub, operator.organisation)


def recording_failures(place: Workspace, operator: Operator | None) -> AbstractContextManager[None]:
    """Add the run to the operator's results also where it ends as a failed one."""
    if operator is None:
        return nullcontext()
    from bot.pipeline.publishing import adding_failures

    return adding_failures(place, operator)


def sweep_data(swept: SweepResult) -> dict[str, object]:
    """Every trial of a sweep and which was chosen, for programs."""
    trials = [
        {"label": trial.label, "score": trial.score, "passed": trial.score is not None}
        for trial in swept.trials
    ]
    return {"chosen": swept.chosen, "trials": trials}


def run_text(ran: RunResult) -> str:
    """The verdict, where things are here, and where they are on the Hub."""
    known = "" if ran.fresh else "  (already on the board)"
    lines = [
        sentence(judge(ran.record, required=ran.required), ran.record.name) + known,
        f"  model  {ran.model}",
        f"  card   {ran.card}",
        f"  key    {ran.record.run_key}",
    ]
    if ran.published is not None:
        lines.append(announced_text(ran.published))
    return "\n".join(lines)


def run_data(ran: RunResult, swept: SweepResult | None = None) -> dict[str, object]:
    """The same for programs, with the whole record, and what a sweep tried."""
    data: dict[str, object] = {
        "run_key": ran.record.run_key,
        "verdict": sentence(judge(ran.record, required=ran.required), ran.record.name),
        "model": str(ran.model),
        "card": str(ran.card),
        "fresh": ran.fresh,
        "record": ran.record.model_dump(mode="json"),
    }
    if swept is not None:
        data["sweep"] = sweep_data(swept)
    return data | ({"published": announced_data(ran.published)} if ran.published else {})
