"""``mergebot run``: a recipe's whole journey."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.hub_connection import ancestors, fetching
from bot.cli.options import (
    UserPath,
    batch_size_option,
    datasets_option,
    engine_options,
    suite_option,
    workspace_option,
)
from bot.cli.output import Output, output_options
from bot.cli.publish import announced_data, announced_text, make_operator, operator_options
from bot.cli.suites import load_suites
from bot.errors import UsageError
from bot.events import Report
from bot.pipeline.merging import EngineOptions
from bot.pipeline.run_recipe import Outcome, RunOptions
from bot.pipeline.run_recipe import run as run_recipe
from bot.pipeline.run_sweep import SweepResult, run_sweep
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe import Recipe
from bot.recipe.sweep import Variant, load_sweep
from leaderboard.number_format import points
from leaderboard.verdict import judge, sentence

if TYPE_CHECKING:
    from bot.pipeline.publishing import Operator, PublishResult


@click.command(
    epilog="""\b
Examples:
  mergebot run recipes/skills/task-arithmetic-four.yaml
  mergebot run my.yaml --suite quick --workspace /data/mergebot
  mergebot run a.yaml b.yaml --json
  mergebot run my.yaml --publish my-org --policy not-worse
  mergebot run sweep.yaml    # weight: {sweep: [0.3, 0.5]}

A run that was stopped goes on where it was; a finished one is shown again.

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
@click.option("--update", is_flag=True, help="Look branches on the Hub up again.")
@engine_options
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
    update: bool,
    device: str,
    threads: int,
    out_shard_size: int,
    organisation: str | None,
    **publishing: Any,
) -> None:
    """Merge, check, evaluate, compare, document and rank recipes."""
    engine = EngineOptions(device=device, threads=threads, shard_bytes=out_shard_size)
    operator = None if organisation is None else make_operator(organisation, publishing)
    if operator is not None:
        require_access(operator)
    loaded = [load_sweep(path) for path in recipes]
    place = Workspace(workspace)
    ended = []
    for variants in loaded:
        options = RunOptions(
            suites=load_suites(suite_names or suites_of(variants[0].recipe), datasets),
            engine=engine,
            batch_size=batch_size,
            update=update,
        )
        with failures_told(place, operator):
            outcome, swept = run_variants(out, variants, place, options)
        done = publish_outcome(outcome, place, operator, out.report) if operator else None
        ended.append((outcome, swept, done))
    out.close()
    data = [told_data(outcome, swept, done) for outcome, swept, done in ended]
    out.result(data, "\n\n".join(told_text(outcome, done) for outcome, _, done in ended))
    out.note(f"\nthe board: mergebot leaderboard show --workspace {workspace}")


def run_variants(
    out: Output, variants: Sequence[Variant], place: Workspace, options: RunOptions
) -> tuple[Outcome, SweepResult | None]:
    """Run a recipe; of a sweep, choose a variant on the search split and run that one."""
    hub, cards = fetching(), ancestors()
    if not variants[0].choices:
        outcome = run_recipe(
            variants[0].recipe,
            workspace=place,
            options=options,
            report=out.report,
            hub=hub,
            card_of=cards,
        )
        return outcome, None
    swept = run_sweep(
        variants, workspace=place, options=options, report=out.report, hub=hub, card_of=cards
    )
    rows = [
        ["→" if trial.label == swept.chosen else "", trial.label, points(trial.score)]
        for trial in swept.trials
    ]
    out.note_table(out.table(rows, ["", "variant", "search split"], right=[2]))
    return swept.outcome, swept


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


def failures_told(place: Workspace, operator: Operator | None) -> AbstractContextManager[None]:
    """Add the run to the operator's results also where it ends as a failed one."""
    if operator is None:
        return nullcontext()
    from bot.pipeline.publishing import adding_failures

    return adding_failures(place, operator)


def publish_outcome(
    outcome: Outcome, place: Workspace, operator: Operator, report: Report
) -> PublishResult:
    """Publish what the run ended with, under the operator's policy."""
    from bot.pipeline.publishing import announce

    return announce(outcome.record, place, operator, report)


def told_text(outcome: Outcome, done: PublishResult | None) -> str:
    """The verdict, where things are here, and where they are on the Hub."""
    text = outcome_text(outcome)
    return f"{text}\n{announced_text(done)}" if done else text


def told_data(
    outcome: Outcome, swept: SweepResult | None, done: PublishResult | None
) -> dict[str, object]:
    """The same for programs, and what a sweep tried."""
    data = outcome_data(outcome)
    if swept is not None:
        data["sweep"] = sweep_data(swept)
    return data | {"published": announced_data(done)} if done else data


def sweep_data(swept: SweepResult) -> dict[str, object]:
    """Every trial of a sweep and which was chosen, for programs."""
    trials = [
        {"label": trial.label, "score": trial.score, "passed": trial.score is not None}
        for trial in swept.trials
    ]
    return {"chosen": swept.chosen, "trials": trials}


def outcome_text(outcome: Outcome) -> str:
    """The verdict and where things are."""
    known = "" if outcome.fresh else "  (already on the board)"
    return "\n".join(
        [
            sentence(judge(outcome.record), outcome.record.name) + known,
            f"  model  {outcome.model}",
            f"  card   {outcome.card}",
            f"  key    {outcome.record.run_key}",
        ]
    )


def outcome_data(outcome: Outcome) -> dict[str, object]:
    """The same for programs, with the whole record."""
    return {
        "run_key": outcome.record.run_key,
        "verdict": sentence(judge(outcome.record), outcome.record.name),
        "model": str(outcome.model),
        "card": str(outcome.card),
        "fresh": outcome.fresh,
        "record": outcome.record.model_dump(mode="json"),
    }
