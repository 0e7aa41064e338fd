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
from bot.evaluation.chat_templates import with_same_template
from bot.evaluation.evaluate_models import Model, evaluate_all
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite, suite
from bot.events import Event, Report
from bot.lineage.ancestry import CardOf, no_cards
from bot.pipeline.merge_recipe import MergeResult, merge_all_in_workspace
from bot.pipeline.merge_stages import checked
from bot.pipeline.open_parents import HubResolver, ParentSet, no_hub, open_parents
from bot.pipeline.pins import reuse_lock
from bot.pipeline.run_recipe import RunOptions, RunResult, run_resolved
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe import Recipe
from bot.recipe.sweep import Variant
from leaderboard.record import Sweep


@dataclass(frozen=True, kw_only=True)
class VariantScore:
    """A variant's mean on the search split; None when it failed its checks or is not finite."""

    label: str
    score: float | None


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Every variant's score, which variant was chosen, and what became of it."""

    trials: tuple[VariantScore, ...]
    chosen: str
    run: RunResult


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

    The parents are resolved once: the chosen variant is reported over the pins it was chosen with.

    Raises:
        UsageError: a suite has no search split to choose on.
        CheckFailedError, NonFiniteError: no variant passed; the first one is recorded as failed.
        MergebotError: as ``run``.
    """
    search = search_suites(options.suites)
    recipes = [variant.recipe for variant in variants]
    workspace.prepare()
    opening = hub if options.update else reuse_lock(recipes[0], workspace, hub)
    digests = workspace.digests(rehash=options.rehash)
    parents = open_parents(recipes[0], report, opening, digests=digests)
    merged = merge_variants(recipes, parents, workspace, options, report)
    scores = _scores(variants, merged, parents, search, workspace, options, report)
    trials = tuple(
        VariantScore(label=variant.label, score=score)
        for variant, score in zip(variants, scores, strict=True)
    )
    best = max(range(len(trials)), key=lambda index: _or_least(scores[index]))
    if scores[best] is not None:
        report(Event("sweep", "note", item=f"chosen on the search split: {trials[best].label}"))
    with _naming_the_sweep(trials):
        ended = run_resolved(
            recipes[best],
            parents,
            workspace=workspace,
            options=options,
            report=report,
            card_of=card_of,
            sweep=Sweep(
                name=Path(recipes[best].file).stem,
                trials=len(variants),
                selection_split=", ".join(one.name for one in search),
            ),
        )
    return SweepResult(trials=trials, chosen=trials[best].label, run=ended)


def _or_least(score: float | None) -> float:
    return float("-inf") if score is None else score


@contextmanager
def _naming_the_sweep(trials: Sequence[VariantScore]) -> Iterator[None]:
    """Where no variant passed, the first is run so that its failure is recorded; say so."""
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
        with_same_template(suite(one.data.search_suite, search=one.search), one)
        for one in suites
        if one.data.search_suite
    )


def merge_variants(
    recipes: Sequence[Recipe],
    parents: ParentSet,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
) -> Sequence[MergeResult | NonFiniteError]:
    """Every variant's merge, or why there is none; a parent that is broken breaks all of them."""
    try:
        return merge_all_in_workspace(recipes, parents, workspace, options.engine, report)
    except NonFiniteError as broken:
        return [broken] * len(recipes)


def _scores(
    variants: Sequence[Variant],
    merged: Sequence[MergeResult | NonFiniteError],
    parents: ParentSet,
    search: Sequence[Suite],
    workspace: Workspace,
    options: RunOptions,
    report: Report,
) -> list[float | None]:
    """Each variant's mean headline over the search suites, None where it did not pass."""
    from leaderboard.statistics.headline import headline  # SciPy: a second before it is needed

    models: dict[int, Model] = {}
    for number, merge in enumerate(merged):
        try:
            digest, path = _passing(merge, parents, search, report)
        except (CheckFailedError, NonFiniteError) as failed:
            report(Event("sweep", "note", item=f"{variants[number].label}: {failed.message}"))
        else:
            models[number] = Model(name=f"variant {number + 1}", path=path, digest=digest)
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
    merge: MergeResult | NonFiniteError,
    parents: ParentSet,
    search: Sequence[Suite],
    report: Report,
) -> tuple[str, Path]:
    """The digest and the folder of a variant that may be evaluated.

    Raises:
        CheckFailedError, NonFiniteError: it may not be.
    """
    if isinstance(merge, NonFiniteError):
        raise merge
    digest = merge.digest
    checked(merge.model, digest, parents, search, report)
    return digest, merge.model
