"""What a run knows about itself, put together from what its stages left until it is a record."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.check.checks import CheckReport
from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import FolderSource
from bot.evaluation.suite_catalog import Suite
from bot.lineage.build_record import RunContext, has_template
from bot.lineage.resolved_parent import family_name
from bot.methods.core.all_methods import catalogue
from bot.pipeline.machine_info import machine, versions
from bot.pipeline.merge_facts import kept_facts
from bot.pipeline.merge_recipe import MergeResult
from bot.pipeline.open_parents import ParentSet
from bot.recipe.canonical import run_key
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import Lock, LockedFile
from leaderboard.record import Attempts, Sweep
from leaderboard.record_store import FolderStore


def begin(
    recipe: Recipe,
    parents: ParentSet,
    suites: Sequence[Suite],
    lock: Lock,
    now: float,
    *,
    sweep: Sweep | None = None,
) -> RunContext:
    """What is known before any work: names, keys, and the sweep this recipe was chosen by."""
    return RunContext(
        run_key=run_key(lock.merge_key, {suite.name: suite.digest for suite in suites}),
        merge_key=lock.merge_key,
        created=timestamp(now),
        name=recipe.about.name or Path(recipe.file).stem,
        recipe=recipe,
        signature=catalogue()[recipe.merge_method].signature,
        parents=parents.parents,
        attempts=Attempts(family=family_name(parents.parents), sweep=sweep),
        versions=versions(),
        machine=machine(),
    )


def timestamp(now: float) -> str:
    """Seconds since 1970 as a record writes them, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def counted(context: RunContext, board: FolderStore) -> RunContext:
    """The context with how many merges over these parents were tried so far, this one included."""
    family = context.attempts.family
    board.note_attempts(family, [context.merge_key])
    return replace(context, attempts=board.attempts(family, context.attempts.sweep))


def with_merge(
    context: RunContext, merged: MergeResult, checks: CheckReport, digests: FileDigests
) -> RunContext:
    """The context with what came out of the engine and what the checks found."""
    config_source = context.parents[merged.plan.config_source]
    return replace(
        context,
        plan=merged.plan,
        config=json.loads(merged.plan.files["config.json"]),
        template_from=config_source.ref.name if has_template(config_source) else None,
        model_digest=merged.digest,
        files=_weights(merged.model, digests),
        engine=kept_facts(merged.model.parent, merged.digest),
        checks=checks,
    )


def _weights(model: Path, digests: FileDigests) -> dict[str, LockedFile]:
    sums = FolderSource(model, digests=digests).file_sha256s()
    return {
        name: LockedFile(sha256=sha256, size=size)
        for name, (sha256, size) in sums.items()
        if name.endswith((".safetensors", ".json"))
    }
