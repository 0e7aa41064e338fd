"""A sweep: many variants are merged and tried on the search split, one is reported.

The variants compete on items that are never reported on; only the winner meets the report split,
and every variant counts as an attempt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.errors import CheckFailedError, NonFiniteError, UsageError
from bot.evaluation.evaluate_models import Model, evaluate_all
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite, suite
from bot.events import Event, Report
from bot.lineage.ancestry import CardOf, no_cards
from bot.pipeline import evaluation_stages
from bot.pipeline.merging import Merged, merge_all
from bot.pipeline.parents import Family, HubResolver, no_hub, resolve
from bot.pipeline.run_recipe import Outcome, RunOptions, run
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe import Recipe
from bot.recipe.sweep import Variant
from leaderboard.record import Sweep
from leaderboard.statistics.headline import headline


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A variant's mean on the search split; None when it failed its checks or is not finite."""

    label: str
    score: float | None


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Every trial, and what became of the chosen variant."""

    trials: tuple[Trial, ...]
    chosen: str
    outcome: Outcome


def run_sweep(
    variants: Sequence[Variant],
    *,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
    hub: HubResolver = no_hub,
    card_of: CardOf = no_cards,
) -> SweepResult:
    """Merge every variant, choose the best on the search split, report that one.

    Raises:
        UsageError: a suite has no search split to choose on.
        CheckFailedError, NonFiniteError: no variant passed; the first one is recorded as failed.
        MergebotError: as ``run``.
    """
    search = search_suites(options.suites)
    recipes = [variant.recipe for variant in variants]
    family = resolve(recipes[0], report, hub)
    merged = _merged(recipes, family, workspace, options, report)
    scores = _scores(variants, merged, family, search, workspace, options, report)
    trials = tuple(
        Trial(label=variant.label, score=score)
        for variant, score in zip(variants, scores, strict=True)
    )
    best = max(range(len(trials)), key=lambda index: _or_least(scores[index]))
    if scores[best] is not None:
        report(Event("sweep", "note", item=f"chosen on the search split: {trials[best].label}"))
    with _none_passed_told(trials):
        outcome = run(
            recipes[best],
            workspace=workspace,
            options=options,
            report=report,
            hub=hub,
            card_of=card_of,
            sweep=Sweep(
                name=Path(recipes[best].file).stem,
                trials=len(variants),
                selection_split=", ".join(one.name for one in search),
            ),
        )
    return SweepResult(trials=trials, chosen=trials[best].label, outcome=outcome)


def _or_least(score: float | None) -> float:
    return float("-inf") if score is None else score


@contextmanager
def _none_passed_told(trials: Sequence[Trial]) -> Iterator[None]:
    """Where no variant passed, the first was run for its failure to be recorded; say so."""
    try:
        yield
    except (CheckFailedError, NonFiniteError) as failed:
        if any(trial.score is not None for trial in trials):
            raise
        raise type(failed)(
            f"none of the {len(trials)} variants passed; {trials[0].label}: {failed.message}",
            hint=failed.hint,
        ) from failed


def search_suites(suites: Sequence[Suite]) -> tuple[Suite, ...]:
    """The suites to choose on: each suite's own search split.

    Raises:
        UsageError: a suite has none, so a choice would be made on the items that are reported.
    """
    missing = [one.name for one in suites if one.data.search_suite is None]
    if missing:
        raise UsageError(
            f"a sweep cannot be run on {', '.join(missing)}: it has no search split to choose on",
            hint="use a suite with `search_suite`, or run the variants as recipes of their own",
        )
    return tuple(
        suite(one.data.search_suite, search=one.search) for one in suites if one.data.search_suite
    )


def _merged(
    recipes: Sequence[Recipe],
    family: Family,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
) -> Sequence[Merged | NonFiniteError]:
    """Every variant's merge or why there is none; a parent that is broken breaks all of them."""
    try:
        return merge_all(recipes, family, workspace, options.engine, report)
    except NonFiniteError as broken:
        return [broken] * len(recipes)


def _scores(
    variants: Sequence[Variant],
    merged: Sequence[Merged | NonFiniteError],
    family: Family,
    search: Sequence[Suite],
    workspace: Workspace,
    options: RunOptions,
    report: Report,
) -> list[float | None]:
    """Each variant's mean headline over the search suites, None where it did not pass."""
    models: dict[int, Model] = {}
    for number, made in enumerate(merged):
        try:
            model = _passing(made, family, search, report)
        except (CheckFailedError, NonFiniteError) as failed:
            report(Event("sweep", "note", item=f"{variants[number].label}: {failed.message}"))
        else:
            models[number] = Model(
                name=f"variant {number + 1}", path=model.model, digest=model.digest
            )
    totals = dict.fromkeys((model.digest for model in models.values()), 0.0)
    for one in search if models else ():
        settings = Settings.of(one, device=options.engine.device, batch_size=options.batch_size)
        found = evaluate_all(
            list(models.values()), one, settings, store=workspace.evaluations, report=report
        )
        for digest, evaluation in found.items():
            value = headline(evaluation.task_scores, weights=one.weights()).value
            totals[digest] += value / len(search)
    return [
        totals[models[number].digest] if number in models else None for number in range(len(merged))
    ]


def _passing(
    made: Merged | NonFiniteError, family: Family, search: Sequence[Suite], report: Report
) -> Merged:
    """A variant that may be evaluated.

    Raises:
        CheckFailedError, NonFiniteError: it may not.
    """
    if isinstance(made, NonFiniteError):
        raise made
    evaluation_stages.check(made, family, search, report)
    return made
