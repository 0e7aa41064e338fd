"""The stages from a resolved recipe to weights on disk: lock, plan, merge."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.checkpoint.disk import write_atomic
from bot.checkpoint.folder_sink import FolderSink, partial_of
from bot.checkpoint.manifest import MANIFEST_FILE, read_manifest
from bot.engine.engine_version import ENGINE_VERSION
from bot.engine.execute import Made, Output, execute_all, finite
from bot.errors import NonFiniteError, StorageError, UsageError
from bot.events import Report
from bot.lineage.resolved_parent import family_name
from bot.methods.core.all_methods import catalogue
from bot.pipeline.machine_info import host
from bot.pipeline.parents import Family, HubResolver, no_hub, open_unpinned, resolve
from bot.pipeline.workspace import Workspace, alone, read_json, write_json
from bot.plan.merge_plan import Plan
from bot.plan.open_sources import open_sources
from bot.plan.plan_json import dump_plan
from bot.plan.planner import make_plan
from bot.recipe.canonical import merge_key, recipe_hash
from bot.recipe.lock import LOCK_FILE, Lock, LockedParent, LockedResult, dump_lock
from bot.recipe.recipe import Recipe

if TYPE_CHECKING:
    from leaderboard.record import EngineFacts

RECIPE_FILE = "recipe.yaml"


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How the engine runs; none of this changes a byte of the result."""

    device: str = "cpu"
    threads: int = 2
    shard_bytes: int = 5_000_000_000


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A finished merge: its folder, its plan and its lock with digests."""

    place: Path
    plan: Plan
    lock: Lock
    facts: EngineFacts

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.place / "model"

    @property
    def digest(self) -> str:
        """The model digest."""
        assert self.lock.result is not None  # noqa: S101 - a finished merge has a result
        return self.lock.result.model_digest


def make_lock(recipe: Recipe, family: Family, options: EngineOptions) -> Lock:
    """The lock of a recipe over these parents, before anything is merged.

    Raises:
        StorageError: a file has a name that is no text, so that the lock could not be written.
    """
    pins = {origin.ref: origin.pin for origin in family.origins.values()}
    parents = tuple(
        LockedParent(
            ref=origin.ref,
            kind=origin.kind,
            pin=origin.pin,
            digest=origin.digest,
            files=origin.files,
            card=origin.card,
        )
        for origin in family.origins.values()
    )
    lock = Lock(
        recipe=recipe.text,
        recipe_file=Path(recipe.file).name,
        recipe_hash=recipe_hash(recipe),
        merge_key=merge_key(recipe, pins, ENGINE_VERSION),
        engine_version=ENGINE_VERSION,
        seed=recipe.seed,
        parents=parents,
        host=host(options.device),
        exact=catalogue()[recipe.merge_method].exact,
    )
    _require_text(lock)
    return lock


def _require_text(lock: Lock) -> None:
    """Whatever cannot be written is found before the merge, not after hours of it."""
    try:
        dump_lock(lock).encode()
    except UnicodeEncodeError as error:
        text = error.object
        line = text[text.rfind("\n", 0, error.start) + 1 : text.find("\n", error.end)]
        raise StorageError(
            f"the lock cannot hold {line.strip()!r}: that is no text",
            hint="give the recipe and the models' files names in UTF-8",
        ) from error


def merge(
    recipe: Recipe, family: Family, workspace: Workspace, options: EngineOptions, report: Report
) -> Merged:
    """Make the weights, or find them made; a killed merge goes on where it stopped.

    Raises:
        PlanError: the parents do not fit together.
        CheckpointError, NonFiniteError: a parent is broken, or the merge is not finite.
        StorageError: the disk refused.
    """
    (merged,) = merge_all([recipe], family, workspace, options, report)
    if isinstance(merged, NonFiniteError):
        raise merged
    return merged


def merge_all(
    recipes: Sequence[Recipe],
    family: Family,
    workspace: Workspace,
    options: EngineOptions,
    report: Report,
) -> tuple[Merged | NonFiniteError, ...]:
    """Make the weights of several recipes over the same parents, which are read once.

    Each counts as an attempt from here on, whatever becomes of it.

    Returns:
        For each recipe the merge, or why it has none that is finite.

    Raises:
        MergebotError: as ``merge``, for what concerns all of them.
    """
    locks = [make_lock(recipe, family, options) for recipe in recipes]
    places = [workspace.merge(lock.merge_key) for lock in locks]
    plans = [make_plan(recipe, family.parents(), catalogue()) for recipe in recipes]
    for recipe, place, plan in zip(recipes, places, plans, strict=True):
        write_atomic(place / RECIPE_FILE, recipe.text.encode())
        write_atomic(place / "plan.json", dump_plan(plan).encode())
    _note_attempts(locks, family, workspace)
    clock = time.monotonic()
    made = merge_into([place / "model" for place in places], plans, family, options, report)
    seconds = (time.monotonic() - clock) / len(recipes)
    return tuple(
        _finished(recipe, place, plan, lock, one, seconds, options) if isinstance(one, str) else one
        for recipe, place, plan, lock, one in zip(recipes, places, plans, locks, made, strict=True)
    )


def _note_attempts(locks: Sequence[Lock], family: Family, workspace: Workspace) -> None:
    from leaderboard.record_store import FolderStore  # a merge alone has no use for a board

    keys = [lock.merge_key for lock in locks]
    FolderStore(workspace.board).note_attempts(family_name(family.origins), keys)


def _finished(
    recipe: Recipe,
    place: Path,
    plan: Plan,
    lock: Lock,
    digest: str,
    seconds: float,
    options: EngineOptions,
) -> Merged:
    """Leave the facts, the lock with its result and the recipe beside the weights."""
    facts = _facts(recipe, place, digest, seconds, options)
    lock = lock.with_result(_result(place / "model", digest))
    for folder in (place, place / "model"):
        write_atomic(folder / LOCK_FILE, dump_lock(lock).encode())
    write_atomic(place / "model" / RECIPE_FILE, recipe.text.encode())
    return Merged(place=place, plan=plan, lock=lock, facts=facts)


@dataclass(frozen=True, kw_only=True)
class Alone:
    """A merge without a workspace: the plan it followed, and its digest or why it has none."""

    plan: Plan
    made: Made

    @property
    def digest(self) -> str:
        """The model digest.

        Raises:
            NonFiniteError: the merge is not finite.
        """
        return finite(self.made)


def merge_once(
    recipe: Recipe,
    out: Path,
    options: EngineOptions,
    report: Report,
    *,
    lock: bool = False,
    hub: HubResolver = no_hub,
) -> Alone:
    """Merge a recipe into a folder; only with ``lock`` are the parents hashed and pinned.

    Raises:
        MergebotError: as ``merge``.
    """
    family = resolve(recipe, report, hub) if lock else open_unpinned(recipe, hub)
    unfinished = make_lock(recipe, family, options) if lock else None
    plan = make_plan(recipe, family.parents(), catalogue())
    (made,) = merge_into([out], [plan], family, options, report)
    digest = finite(made)
    if unfinished is not None:
        finished = unfinished.with_result(_result(out, digest))
        write_atomic(out / LOCK_FILE, dump_lock(finished).encode())
    return Alone(plan=plan, made=digest)


def merge_into(
    outs: Sequence[Path],
    plans: Sequence[Plan],
    family: Family,
    options: EngineOptions,
    report: Report,
) -> tuple[Made, ...]:
    """Execute plans over the same parents into folders, as ``execute_all`` does.

    Raises:
        MergebotError: as ``merge``.
        UsageError: a folder cannot be put in place, or a parent is in the way.
    """
    outs = [_resolved(out) for out in outs]
    for out in outs:
        _require_replaceable(out)
        _require_no_parent(out, family)
    parents = family.parents().values()
    outputs = [
        Output(
            plan=plan,
            sources=open_sources(plan, parents),
            sink=FolderSink(out, shard_bytes=options.shard_bytes),
        )
        for out, plan in zip(outs, plans, strict=True)
    ]
    with ExitStack() as held:
        for out in sorted(outs):
            held.enter_context(alone("merge", out, report))
        return execute_all(outputs, device=options.device, threads=options.threads, report=report)


def _resolved(out: Path) -> Path:
    try:
        return out.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links, up to Python 3.12
        raise StorageError(f"{out} leads nowhere: {error}", hint="name another folder") from error


def _require_replaceable(out: Path) -> None:
    """Refuse, before anything is merged, a folder whose name the finished merge could not take."""
    if os.path.ismount(out):
        message = f"{out} is a mount point, in whose place no folder can be put"
        raise UsageError(message, hint=f"write to a folder inside it: {out / 'model'}")
    if _is_same(out, Path()) and not any(out.iterdir()):  # a full one is looked at later
        message = f"{out} is the folder you are in, and a merge puts a new one in its place"
        raise UsageError(message, hint=f"write to a folder inside it: {out / 'model'}")


def _require_no_parent(out: Path, family: Family) -> None:
    """Refuse a folder in a parent, and one whose unfinished merge would stand on a parent."""
    partial = partial_of(out)
    for key, origin in family.origins.items():
        if origin.folder is None:
            continue
        parent = origin.folder.resolve()
        message = None
        if _is_same(out, parent):
            message = f"{out} is {key}, a parent of the merge"
        elif any(_is_same(above, parent) for above in out.parents):
            message = f"{out} lies inside {key}, a parent of the merge"
        elif any(_is_same(partial, place) for place in (parent, *parent.parents)):
            message = f"{key}, a parent of the merge, stands in {partial}, where the merge is made"
        if message:
            raise UsageError(message, hint="name another folder")


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are there and one folder, however they are spelled."""
    with suppress(OSError):
        return one.samefile(other)
    return False


def _result(model: Path, digest: str) -> LockedResult:
    manifest = read_manifest(model)
    if manifest is None:
        message = f"{model / MANIFEST_FILE} is missing"
        raise StorageError(message, hint="remove the folder and run the recipe again")
    return LockedResult(model_digest=digest, tensors=manifest.tensors)


def _facts(
    recipe: Recipe, place: Path, digest: str, seconds: float, options: EngineOptions
) -> EngineFacts:
    """Time and memory of the merge that really ran, also when this call only found it done."""
    from pydantic import ValidationError

    from leaderboard.record import EngineFacts  # a merge alone has no use for records

    kept = read_json(place / "merge.json") or {}
    with suppress(ValidationError):
        if kept.get("model_digest") == digest:
            return EngineFacts.model_validate(kept.get("engine"))
    facts = EngineFacts(
        seconds=round(seconds, 3),
        peak_memory=peak_memory(),
        threads=options.threads,
        device=options.device,
    )
    content = {
        "model_digest": digest,
        "engine": facts.model_dump(mode="json"),
        "recipe_folder": str(Path(recipe.file).parent.resolve()),
    }
    write_json(place / "merge.json", content)
    return facts


def peak_memory() -> int:
    """The largest resident memory this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
