"""``resolved.json`` and the lock: what the parents' names meant, and how they are opened again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import write_atomic
from bot.checkpoint.file_digests import FileDigests
from bot.errors import CheckpointError, RecordError
from bot.events import Report
from bot.lineage.resolved_parent import ResolvedParent
from bot.pipeline.json_formats import RESOLVED, read_document, write_document
from bot.pipeline.open_parents import (
    HubResolver,
    ParentFolders,
    ParentSet,
    at_pins,
    open_folders,
    open_parents,
)
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import LOCK_FILE, Lock, LockedParent, dump_lock, read_lock

RESOLVED_FILE = "resolved.json"


def leave_resolved(folder: Path, lock: Lock, parents: ParentSet) -> None:
    """Write the lock and where the parents' files lie; ``resolved.json`` comes last."""
    write_atomic(folder / LOCK_FILE, dump_lock(lock).encode())
    rows = {
        key: {
            "model": _text(parents.folders[key].model),
            "adapter": _text(parents.folders[key].adapter),
            "url": parent.url,
            "gated": parent.gated,
        }
        for key, parent in parents.parents.items()
    }
    content = {"merge_key": lock.merge_key, "keys": list(rows), "parents": rows}
    write_document(folder / RESOLVED_FILE, RESOLVED, content)


def left_lock(folder: Path) -> Lock | None:
    """The lock of a run that has been resolved; None where it has not, or where a file is torn.

    Raises:
        RecordError: a newer mergebot resolved the run.
    """
    resolved = read_document(folder / RESOLVED_FILE, RESOLVED)
    if resolved is None or not (folder / LOCK_FILE).is_file():
        return None
    lock = read_lock(folder / LOCK_FILE)
    return lock if lock.merge_key == resolved.get("merge_key") else None


def reopen_parents(
    folder: Path, recipe: Recipe, hub: HubResolver, digests: FileDigests, report: Report
) -> ParentSet:
    """The parents that a run was resolved to, from the folders they were in then.

    A model on the Hub whose files are not on this disk any more is opened at its commit again.

    Raises:
        RecordError: the run has not been resolved.
        CheckpointError: a parent is not what it was.
        HubError: a parent has to be fetched, and the Hub refused or is out of reach.
    """
    lock, resolved = left_lock(folder), read_document(folder / RESOLVED_FILE, RESOLVED)
    if lock is None or resolved is None:
        message = f"the parents of the run in {folder} have not been resolved"
        raise RecordError(message, hint=f"mergebot stage {folder} resolve")
    locked = dict(zip(resolved["keys"], lock.parents, strict=True))
    parents: dict[str, ResolvedParent] = {}
    folders: dict[str, ParentFolders] = {}
    for key, row in resolved["parents"].items():
        where = ParentFolders(model=_path(row["model"]), adapter=_path(row["adapter"]))
        parent = _reopened(locked[key], row, where, digests)
        if parent is None:
            return _opened_at_pins(recipe, lock, hub, digests, report)
        parents[key], folders[key] = parent, where
    ordered = resolved["keys"]
    return ParentSet(
        parents={key: parents[key] for key in ordered},
        folders={key: folders[key] for key in ordered},
    )


def _reopened(
    locked: LockedParent, row: Mapping[str, Any], where: ParentFolders, digests: FileDigests
) -> ResolvedParent | None:
    """A parent from its folders; None where they are not all there.

    Raises:
        CheckpointError: the folders hold other bytes than the lock says.
    """
    source = open_folders(locked.ref, where, digests)
    if source is None:
        return None
    if source.id != locked.digest:
        raise CheckpointError(
            f"parent {locked.ref} is not what it was when the run was resolved",
            hint="run the recipe again: with the changed parent it is another merge",
        )
    return ResolvedParent(
        ref=locked.ref,
        kind=locked.kind,
        pin=locked.pin,
        digest=source.id,
        source=source,
        folder=where.model if locked.ref.lora is None else None,
        files=locked.files,
        card=locked.card,
        url=row["url"],
        gated=row["gated"],
    )


def _opened_at_pins(
    recipe: Recipe, lock: Lock, hub: HubResolver, digests: FileDigests, report: Report
) -> ParentSet:
    parents = open_parents(recipe, report, at_pins(hub, lock.pins()), digests=digests)
    changed = [str(ref) for ref, pin in parents.pins().items() if pin != lock.pins()[ref]]
    if changed:
        raise CheckpointError(
            f"{', '.join(changed)} is not what it was when the run was resolved",
            hint="run the recipe again: with the changed parent it is another merge",
        )
    return parents


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
