"""``mergebot run``: a recipe becomes a run's folder, and a run is a loop over its stages."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bot.evaluation.evaluation_settings import require_pinned
from bot.evaluation.suite_catalog import Suite
from bot.events import Report
from bot.lineage.ancestry import CardOf, no_cards
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.find_record import board_suite
from bot.pipeline.make_lock import make_lock
from bot.pipeline.open_parents import HubResolver, ParentSet, no_hub
from bot.pipeline.record_stages import CARD_FILE, left_publication, run_record
from bot.pipeline.resolved_parents import RESOLVED_FILE, leave_resolved
from bot.pipeline.run_folder import RunFolder, StageTools
from bot.pipeline.run_settings import PublishSettings, RunSettings, settings_of, write_settings
from bot.pipeline.run_stages import NAMES, run_stages
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe import Recipe
from leaderboard.record import Record, Sweep

if TYPE_CHECKING:
    from bot.pipeline.publishing import Operator, PublishResult


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the operator chooses for a run.

    Args:
        suites: what is evaluated.
        engine: device, threads and size of files.
        batch_size: instead of the suites' own.
        update: look branches on the Hub up again.
        rehash: hash local files again, whatever is known about them.
        publish: where the run is published; None keeps it here.
        operator: makes the Hub account that it is published with.
        clock: seconds since 1970.
    """

    suites: tuple[Suite, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)
    batch_size: int | None = None
    update: bool = False
    rehash: bool = False
    publish: PublishSettings | None = None
    operator: Callable[[RunSettings], Operator] | None = None
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Where a run ended.

    ``fresh`` is False when the board already had its record; ``required`` is the board's required
    suite, which the verdict is of.
    """

    record: Record
    model: Path
    card: Path
    fresh: bool
    published: PublishResult | None = None
    required: str | None = None


def prepare_run(
    recipe: Recipe, workspace: Workspace, options: RunOptions, *, sweep: Sweep | None = None
) -> Path:
    """Make the folder of a run, from which its stages can be run; preparing it twice is harmless.

    Returns:
        ``<workspace>/runs/<request>``.

    Raises:
        EnvironmentMissingError: a suite needs another lm-eval than the one installed.
        RecordError: a newer mergebot made the workspace.
        StorageError: the disk refused.
    """
    for suite in options.suites:
        require_pinned(suite)
    workspace.prepare()
    settings: RunSettings = settings_of(
        recipe,
        options.suites,
        engine=options.engine,
        batch_size=options.batch_size,
        sweep=sweep,
        publish=options.publish,
    )
    folder = workspace.run(settings.request_key)
    write_settings(folder, settings)
    if options.update:
        (folder / RESOLVED_FILE).unlink(missing_ok=True)
    return folder


def run(
    recipe: Recipe,
    *,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
    hub: HubResolver = no_hub,
    card_of: CardOf = no_cards,
) -> RunResult:
    """Take one recipe from its file to the board.

    A merge that fails its checks is recorded as failed, so that it counts as an attempt.

    Args:
        recipe: the recipe.
        workspace: where everything is kept.
        options: what the operator chooses.
        report: progress.
        hub: opens parents on the Hub.
        card_of: looks up the cards of ancestors on the Hub.

    Raises:
        MergebotError: a stage failed; what earlier stages made is kept.
    """
    folder = prepare_run(recipe, workspace, options)
    return run_folder(RunFolder(folder, _tools(options, report, hub, card_of)))


def run_resolved(
    recipe: Recipe,
    parents: ParentSet,
    *,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
    sweep: Sweep,
    card_of: CardOf = no_cards,
) -> RunResult:
    """Run the variant that a sweep chose, over the very parents that it was chosen with.

    Raises:
        MergebotError: as ``run``.
    """
    folder = prepare_run(recipe, workspace, options, sweep=sweep)
    running = RunFolder(folder, _tools(options, report, no_hub, card_of))
    lock = make_lock(running.recipe, parents, options.engine.device)
    leave_resolved(folder, lock, parents)
    running.parents = parents
    return run_folder(running)


def run_folder(run: RunFolder) -> RunResult:
    """Run every stage of a run, and say where it ended.

    Raises:
        MergebotError: as ``run``.
    """
    run_stages(run, NAMES[:1])
    known = run.run_key in run.board
    run_stages(run, NAMES[1:])
    return RunResult(
        record=run_record(run),
        model=run.model,
        card=run.model / CARD_FILE,
        fresh=not known,
        published=left_publication(run),
        required=board_suite(run.workspace),
    )


def _tools(options: RunOptions, report: Report, hub: HubResolver, card_of: CardOf) -> StageTools:
    return StageTools(
        report=report,
        hub=hub,
        card_of=card_of,
        clock=options.clock,
        update=options.update,
        rehash=options.rehash,
        operator=options.operator,
    )
