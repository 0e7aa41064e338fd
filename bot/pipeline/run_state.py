"""What a run knows about itself, filled in stage by stage until it can become a record."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bot.check.checks import CheckReport
from bot.evaluation.suite_catalog import Suite
from bot.lineage.build_record import RunContext, has_template
from bot.lineage.resolved_parent import family_name
from bot.methods.core.all_methods import catalogue
from bot.pipeline.machine_info import machine, versions
from bot.pipeline.merging import EngineOptions, Merged, make_lock
from bot.pipeline.parents import Family, file_sha256
from bot.recipe.canonical import run_key
from bot.recipe.lock import LockedFile
from bot.recipe.recipe import Recipe
from leaderboard.record import Attempts, Sweep
from leaderboard.record_store import FolderStore


def begin(
    recipe: Recipe,
    family: Family,
    suites: Sequence[Suite],
    engine: EngineOptions,
    now: float,
    *,
    sweep: Sweep | None = None,
) -> RunContext:
    """What is known before any work: names, keys, and the sweep this recipe was chosen by."""
    lock = make_lock(recipe, family, engine)
    return RunContext(
        run_key=run_key(lock.merge_key, {suite.name: suite.digest for suite in suites}),
        merge_key=lock.merge_key,
        created=moment(now),
        name=recipe.about.name or Path(recipe.file).stem,
        recipe=recipe,
        signature=catalogue()[recipe.merge_method].signature,
        origins=family.origins,
        attempts=Attempts(family=family_name(family.origins), sweep=sweep),
        versions=versions(),
        machine=machine(),
    )


def moment(now: float) -> str:
    """Seconds since 1970 as a record writes them, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def counted(story: RunContext, board: FolderStore) -> RunContext:
    """The story with how many merges over these parents were tried so far, this one included."""
    attempts = board.attempts(story.attempts.family, story.attempts.sweep)
    return replace(story, attempts=attempts)


def with_merge(story: RunContext, merged: Merged, checks: CheckReport) -> RunContext:
    """The story with what came out of the engine and how the gate found it."""
    donor = story.origins[merged.plan.config_source]
    return replace(
        story,
        plan=merged.plan,
        config=json.loads(merged.plan.files["config.json"]),
        template_from=donor.ref.name if has_template(donor) else None,
        model_digest=merged.digest,
        files=_weights(merged.model),
        engine=merged.facts,
        checks=checks,
    )


def _weights(model: Path) -> dict[str, LockedFile]:
    paths = sorted([*model.glob("*.safetensors"), *model.glob("*.json")])
    return {
        path.name: LockedFile(sha256=file_sha256(path), size=path.stat().st_size) for path in paths
    }
