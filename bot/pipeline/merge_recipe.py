"""From opened parents to weights on disk: plans are executed, and what came out is described."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bot.checkpoint.disk import write_atomic
from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.manifest import MANIFEST_FILE, read_manifest
from bot.engine.execute import MergeOutcome, MergeOutput, execute_all, finite
from bot.errors import NonFiniteError, StorageError
from bot.events import Report
from bot.lineage.resolved_parent import family_name
from bot.methods.core.all_methods import catalogue
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.file_lock import exclusive_lock
from bot.pipeline.make_lock import make_lock
from bot.pipeline.merge_facts import leave_facts
from bot.pipeline.open_parents import HubResolver, ParentSet, no_hub, open_parents
from bot.pipeline.output_folder import checked_output
from bot.pipeline.workspace import Workspace
from bot.plan.merge_plan import Plan
from bot.plan.open_sources import open_sources
from bot.plan.plan_json import PLAN_FILE, dump_plan
from bot.plan.planner import make_plan, make_plans
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import LOCK_FILE, Lock, LockedResult, dump_lock

RECIPE_FILE = "recipe.yaml"


@dataclass(frozen=True, kw_only=True)
class MergeResult:
    """What became of a merge.

    ``model`` is its folder, ``made`` the model digest or why there is no model. ``lock`` is None
    where the parents were not pinned; that of a finished merge has its result.
    """

    model: Path
    plan: Plan
    made: MergeOutcome
    lock: Lock | None = None

    @property
    def digest(self) -> str:
        """The model digest.

        Raises:
            NonFiniteError: the merge is not finite.
        """
        return finite(self.made)

    @property
    def failure(self) -> NonFiniteError | None:
        """Why there is no model; None where there is one."""
        return self.made if isinstance(self.made, NonFiniteError) else None


def merge_in_workspace(
    recipe: Recipe,
    parents: ParentSet,
    workspace: Workspace,
    options: EngineOptions,
    report: Report,
) -> MergeResult:
    """Make the weights of a recipe, or find them made; a killed merge goes on where it stopped.

    Raises:
        PlanError: the parents do not fit together.
        CheckpointError, NonFiniteError: a parent is broken, or the merge is not finite.
        StorageError: the disk refused.
    """
    (merged,) = merge_all_in_workspace([recipe], parents, workspace, options, report)
    if merged.failure is not None:
        raise merged.failure
    return merged


def merge_all_in_workspace(
    recipes: Sequence[Recipe],
    parents: ParentSet,
    workspace: Workspace,
    options: EngineOptions,
    report: Report,
) -> tuple[MergeResult, ...]:
    """Make the weights of several recipes over the same parents, which are read once.

    Each counts as an attempt from here on, whatever becomes of it.

    Raises:
        MergebotError: as ``merge_in_workspace``, for what concerns all of them.
    """
    plans = make_plans(recipes, parents.for_planning(), catalogue(), resources=options.resources)
    locks = [make_lock(recipe, parents, options.device) for recipe in recipes]
    folders = [workspace.merge(lock.merge_key) for lock in locks]
    for recipe, folder, plan in zip(recipes, folders, plans, strict=True):
        leave_plan(folder, recipe, plan)
    _note_attempts(locks, parents, workspace)
    clock = time.monotonic()
    models = [folder / "model" for folder in folders]
    merged = merge_into(models, plans, parents, options, report)
    seconds = (time.monotonic() - clock) / len(recipes)
    return tuple(
        one if one.failure else _finished(recipe, one, lock, seconds, options)
        for recipe, one, lock in zip(recipes, merged, locks, strict=True)
    )


def leave_plan(folder: Path, recipe: Recipe, plan: Plan) -> None:
    """Write a merge's recipe and plan into its folder."""
    write_atomic(folder / RECIPE_FILE, recipe.text.encode())
    write_atomic(folder / PLAN_FILE, dump_plan(plan).encode())


def _note_attempts(locks: Sequence[Lock], parents: ParentSet, workspace: Workspace) -> None:
    from leaderboard.record_store import FolderStore  # a merge without a workspace has no board

    keys = [lock.merge_key for lock in locks]
    FolderStore(workspace.board).note_attempts(family_name(parents.parents), keys)


def _finished(
    recipe: Recipe, merged: MergeResult, lock: Lock, seconds: float, options: EngineOptions
) -> MergeResult:
    """Leave the facts, the lock with its result and the recipe beside the weights."""
    folder = merged.model.parent
    leave_facts(folder, recipe, merged.digest, seconds, options)
    lock = lock.with_result(_result(merged.model, merged.digest))
    for place in (merged.model, folder):
        write_atomic(place / LOCK_FILE, dump_lock(lock).encode())
    write_atomic(merged.model / RECIPE_FILE, recipe.text.encode())
    return replace(merged, lock=lock)


def merge_into_folder(
    recipe: Recipe,
    out: Path,
    options: EngineOptions,
    report: Report,
    *,
    lock: bool = False,
    hub: HubResolver = no_hub,
    digests: FileDigests | None = None,
) -> MergeResult:
    """Merge a recipe into a folder, without a workspace.

    Args:
        recipe: the recipe.
        out: the model's folder.
        options: device and threads.
        report: progress.
        lock: hash and pin the parents, and leave a lock in the folder.
        hub: opens parents on the Hub.
        digests: digests of the parents' files that were hashed before.

    Raises:
        MergebotError: as ``merge_in_workspace``.
    """
    parents = open_parents(recipe, report, hub, pinned=lock, digests=digests)
    unfinished = make_lock(recipe, parents, options.device) if lock else None
    plan = make_plan(recipe, parents.for_planning(), catalogue(), resources=options.resources)
    (merged,) = merge_into([out], [plan], parents, options, report)
    digest = merged.digest
    if unfinished is None:
        return merged
    finished = unfinished.with_result(_result(out, digest))
    write_atomic(out / LOCK_FILE, dump_lock(finished).encode())
    return replace(merged, lock=finished)


def merge_into(
    outs: Sequence[Path],
    plans: Sequence[Plan],
    parents: ParentSet,
    options: EngineOptions,
    report: Report,
) -> tuple[MergeResult, ...]:
    """Execute plans over the same parents into folders, as ``execute_all`` does.

    Raises:
        MergebotError: as ``merge_in_workspace``.
        UsageError: a folder cannot be put in place, or a parent is in the way.
    """
    checked = [checked_output(out, parents) for out in outs]
    opened = parents.for_planning().values()
    outputs = [
        MergeOutput(
            plan=plan,
            sources=open_sources(plan, opened),
            sink=FolderSink(out, shard_bytes=options.shard_bytes),
        )
        for out, plan in zip(checked, plans, strict=True)
    ]
    with ExitStack() as held:
        for out in sorted(checked):
            held.enter_context(exclusive_lock("merge", out, report))
        made = execute_all(
            outputs,
            device=options.device,
            threads=options.threads,
            memory=options.memory,
            report=report,
        )
    return tuple(
        MergeResult(model=out, plan=plan, made=one)
        for out, plan, one in zip(outs, plans, made, strict=True)
    )


def _result(model: Path, digest: str) -> LockedResult:
    manifest = read_manifest(model)
    if manifest is None:
        message = f"{model / MANIFEST_FILE} is missing"
        raise StorageError(message, hint="remove the folder and run the recipe again")
    return LockedResult(model_digest=digest, tensors=manifest.tensors)
