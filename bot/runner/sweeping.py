"""A sweep: many variants are merged and tried on the search split, one is reported.

The variants compete on items that are never reported on; only the winner meets the report split,
and every variant counts as an attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import CheckFailedError, UsageError
from bot.evaluation.catalogue import Suite, suite
from bot.evaluation.evaluate import Model, evaluate_all
from bot.evaluation.settings import Settings
from bot.events import Event, Report
from bot.lineage.ancestry import CardOf, no_cards
from bot.recipe.sweep import Variant
from bot.runner import evidence
from bot.runner.merging import Merged, merge_all
from bot.runner.pipeline import Outcome, RunOptions, run
from bot.runner.resolve import Family, HubResolver, no_hub, resolve
from bot.runner.workspace import Workspace
from leaderboard.schema import Sweep
from leaderboard.statistics.headline import headline


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A variant's mean on the search split; None when it failed its checks."""

    label: str
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Swept:
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
) -> Swept:
    """Merge every variant, choose the best on the search split, report that one.

    Raises:
        UsageError: a suite has no search split to choose on.
        CheckFailedError: no variant passed its checks.
        MergebotError: as ``run``.
    """
    search = search_suites(options.suites)
    recipes = [variant.recipe for variant in variants]
    family = resolve(recipes[0], report, hub)
    merged = merge_all(recipes, family, workspace, options.engine, report)
    scores = _scores(variants, merged, family, search, workspace, options, report)
    trials = tuple(
        Trial(label=variant.label, score=scores.get(made.digest))
        for variant, made in zip(variants, merged, strict=True)
    )
    if not scores:
        raise CheckFailedError(
            f"none of the {len(variants)} variants passed its checks",
            hint="run one of them alone to see why; widen or move the sweep",
        )
    best = max(range(len(trials)), key=lambda index: scores.get(merged[index].digest, -1.0))
    report(Event("sweep", "note", item=f"chosen on the search split: {trials[best].label}"))
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
    return Swept(trials=trials, chosen=trials[best].label, outcome=outcome)


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


def _scores(
    variants: Sequence[Variant],
    merged: Sequence[Merged],
    family: Family,
    search: Sequence[Suite],
    workspace: Workspace,
    options: RunOptions,
    report: Report,
) -> dict[str, float]:
    """Mean headline over the search suites by model digest, of the variants that passed."""
    models = []
    for number, made in enumerate(merged, start=1):
        try:
            evidence.check(made, family, search, report)
        except CheckFailedError as failed:
            report(Event("sweep", "note", item=f"{variants[number - 1].label}: {failed.message}"))
            continue
        models.append(Model(name=f"variant {number}", path=made.model, digest=made.digest))
    totals: dict[str, float] = {}
    for one in search if models else ():
        settings = Settings.of(one, device=options.engine.device, batch_size=options.batch_size)
        found = evaluate_all(models, one, settings, store=workspace.evaluations, report=report)
        for digest, evaluation in found.items():
            value = headline(evaluation.task_scores, weights=one.weights()).value
            totals[digest] = totals.get(digest, 0.0) + value / len(search)
    return totals
