"""The way a recipe travels: resolve, merge, check, evaluate, compare, card, board.

Every stage leaves its result under a name made from what went in, so a second run of the same
recipe finds everything done, and a killed one goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.check.checks import CheckReport
from bot.checkpoint.disk import write_atomic
from bot.errors import CheckFailedError, NonFiniteError, RecordError
from bot.evaluation.evaluation_settings import require_pinned
from bot.evaluation.suite_catalog import Suite
from bot.events import Report
from bot.lineage.ancestry import CardOf, no_cards
from bot.lineage.build_record import RunContext, build_record
from bot.lineage.model_card import render_card
from bot.pipeline import evaluation_stages, run_state
from bot.pipeline.find_record import known_record
from bot.pipeline.merging import EngineOptions, Merged, merge
from bot.pipeline.parents import Family, HubResolver, no_hub, resolve
from bot.pipeline.pins import reuse_lock
from bot.pipeline.workspace import Workspace, alone, write_json
from bot.recipe.recipe import Recipe
from bot.redaction import redact
from leaderboard.record import Failure, Record, Sweep
from leaderboard.record_store import FolderStore


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the operator chooses for a run; ``update`` looks branches on the Hub up anew."""

    suites: tuple[Suite, ...]
    engine: EngineOptions = field(default_factory=EngineOptions)
    batch_size: int | None = None
    update: bool = False
    clock: Callable[[], float] = time.time


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a run ended. ``fresh`` is False when the board already had its record."""

    record: Record
    model: Path
    card: Path
    fresh: bool


def run(
    recipe: Recipe,
    *,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
    hub: HubResolver = no_hub,
    card_of: CardOf = no_cards,
    sweep: Sweep | None = None,
) -> Outcome:
    """Take one recipe from its file to the board.

    A merge that fails its checks is recorded as failed, so that it counts as an attempt.

    Args:
        recipe: the recipe.
        workspace: where everything is kept.
        options: what the operator chooses.
        report: progress.
        hub: opens parents on the Hub.
        card_of: looks up the cards of ancestors on the Hub.
        sweep: the search this recipe was chosen by.

    Raises:
        MergebotError: a stage failed; what earlier stages made is kept.
    """
    for suite in options.suites:
        require_pinned(suite)
    opening = hub if options.update else reuse_lock(recipe, workspace, hub)
    family = resolve(recipe, report, opening)
    told = run_state.begin(
        recipe, family, options.suites, options.engine, options.clock(), sweep=sweep
    )
    told = replace(told, card_of=card_of)
    with alone("run", workspace.run(told.run_key), report):
        known = known_record(workspace, told.run_key)
        board = FolderStore(workspace.board)
        merged, checks = _made(told, family, workspace, options, report)
        if known is None:
            told = run_state.with_merge(told, merged, checks)
            _record(told, merged, family, workspace, options, report)
        elif known.status == "failed":
            raise _passes_now(known, workspace)
        elif sweep is not None:
            board.choose(told.run_key, sweep)
        record = board.get(told.run_key)
        card = merged.model / "README.md"
        write_atomic(card, render_card(record).encode())
    return Outcome(record=record, model=merged.model, card=card, fresh=known is None)


def _made(
    told: RunContext, family: Family, workspace: Workspace, options: RunOptions, report: Report
) -> tuple[Merged, CheckReport]:
    """Merge and check; what is broken is put on the board as an attempt that failed."""
    try:
        merged = merge(told.recipe, family, workspace, options.engine, report)
        evaluation_stages.require_unchanged(merged)
        return merged, evaluation_stages.check(merged, family, options.suites, report)
    except (CheckFailedError, NonFiniteError) as refused:
        stage = "check" if isinstance(refused, CheckFailedError) else "merge"
        failure = Failure(stage=stage, message=redact(refused.message))
        failed = replace(told, failure=failure, created=run_state.moment(options.clock()))
        board = FolderStore(workspace.board)
        if told.run_key not in board:
            board.add(build_record(run_state.counted(failed, board)))
        raise


def _passes_now(known: Record, workspace: Workspace) -> RecordError:
    """A record is never rewritten by a run; a person may take a failed one away."""
    path = FolderStore(workspace.board).records / f"{known.run_key}.json"
    return RecordError(
        f"{known.name} passes its checks now, but the board has this run as failed",
        hint=f"move {path} away and run again, to record it anew",
    )


def _record(
    told: RunContext,
    merged: Merged,
    family: Family,
    workspace: Workspace,
    options: RunOptions,
    report: Report,
) -> None:
    """Evaluate and compare a merge, and put what was found on the board."""
    results = evaluation_stages.compare(
        told.name,
        merged,
        family,
        options.suites,
        workspace,
        report,
        device=options.engine.device,
        batch_size=options.batch_size,
    )
    rows = [result.model_dump(mode="json") for result in results]
    write_json(workspace.run(told.run_key) / "comparison.json", rows)
    told = replace(told, suites=results, created=run_state.moment(options.clock()))
    board = FolderStore(workspace.board)
    board.add(build_record(run_state.counted(told, board)))
