"""``mergebot run``: a recipe's whole journey."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.options import (
    batch_size_option,
    datasets_option,
    engine_options,
    load_suites,
    suite_option,
    workspace_option,
)
from bot.cli.output import Output, output_options
from bot.errors import UsageError
from bot.recipe.load import load_recipe
from bot.recipe.model import Recipe
from bot.runner.merging import EngineOptions
from bot.runner.pipeline import Outcome, RunOptions
from bot.runner.pipeline import run as run_recipe
from bot.runner.workspace import Workspace
from leaderboard.verdict import judge, sentence


@click.command(
    epilog="""\b
Examples:
  mergebot run recipes/skills/arithmetic-four.yaml
  mergebot run my.yaml --suite quick --workspace /data/mergebot
  mergebot run a.yaml b.yaml --json

A run that was stopped goes on where it was; a finished one is shown again.

\b
Exit codes: 0 done (whatever the verdict), 3 recipe, 4 plan, 5 a parent's
files, 6 disk, 7 not finite, 8 failed its checks, 9 evaluation, 14 missing
extra, 130 interrupted."""
)
@click.argument("recipes", nargs=-1, required=True, type=click.Path(path_type=Path))
@workspace_option
@suite_option()
@batch_size_option
@datasets_option
@engine_options
@output_options
@click.pass_obj
def run(
    out: Output,
    recipes: tuple[Path, ...],
    workspace: Path,
    suite_names: tuple[str, ...],
    batch_size: int | None,
    datasets: Path | None,
    device: str,
    threads: int,
    out_shard_size: int,
) -> None:
    """Merge, check, evaluate, compare, document and rank recipes."""
    engine = EngineOptions(device=device, threads=threads, shard_bytes=out_shard_size)
    loaded = [load_recipe(path) for path in recipes]
    outcomes = []
    for recipe in loaded:
        options = RunOptions(
            suites=load_suites(suite_names or suites_of(recipe), datasets),
            engine=engine,
            batch_size=batch_size,
        )
        place = Workspace(workspace)
        outcomes.append(run_recipe(recipe, workspace=place, options=options, report=out.report))
    out.close()
    data = [outcome_data(outcome) for outcome in outcomes]
    out.result(data, "\n\n".join(outcome_text(outcome) for outcome in outcomes))
    out.note(f"\nthe board: mergebot leaderboard show --workspace {workspace}")


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
