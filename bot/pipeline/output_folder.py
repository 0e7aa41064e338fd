"""Output folders that cannot be: refused before anything is merged."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bot.checkpoint.folder_sink import partial_of
from bot.errors import StorageError, UsageError
from bot.pipeline.open_parents import ParentSet


def checked_output(out: Path, parents: ParentSet) -> Path:
    """The output folder's real path, once it is clear that a finished merge can take its name.

    Raises:
        StorageError: the path leads nowhere.
        UsageError: the folder cannot be put in place, or a parent is in the way.
    """
    try:
        out = out.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links, up to Python 3.12
        raise StorageError(f"{out} leads nowhere: {error}", hint="name another folder") from error
    _require_replaceable(out)
    _require_no_parent(out, parents)
    return out


def _require_replaceable(out: Path) -> None:
    if os.path.ismount(out):
        message = f"{out} is a mount point, and a mount point cannot be replaced by a folder"
        raise UsageError(message, hint=f"write to a folder inside it: {out / 'model'}")
    if _is_same(out, Path()) and not any(out.iterdir()):  # the sink refuses one that is not empty
        message = f"{out} is the folder you are in, and a merge puts a new one in its place"
        raise UsageError(message, hint=f"write to a folder inside it: {out / 'model'}")


def _require_no_parent(out: Path, parents: ParentSet) -> None:
    """Refuse a folder inside a parent, and one whose unfinished merge would replace a parent."""
    for key, folders in parents.folders.items():
        for folder in (folders.model, folders.adapter):
            if folder is not None:
                _require_apart(out, key, folder.resolve())


def _require_apart(out: Path, key: str, parent: Path) -> None:
    partial = partial_of(out)
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
    """Whether both paths are one existing folder, however they are written."""
    with suppress(OSError):
        return one.samefile(other)
    return False
