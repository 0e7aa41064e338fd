"""Checks and clears the folder ``<name>.partial`` that an interrupted merge left.

Only files that a merge created are resumed or removed; anything else in it belongs to the
user's, and neither deleted nor taken into the finished folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from bot.checkpoint.disk import Disk, explained
from bot.checkpoint.file_layout import Shard
from bot.errors import StorageError


def require_leftover(folder: Path, names: Collection[str]) -> None:
    """Refuse a folder that holds anything but plain files called ``names``; it may be missing.

    Raises:
        StorageError: it is no real folder, or something else is in it.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        message = f"{folder} exists and is not the partial folder of a merge but a file or a link"
        raise StorageError(message, hint="move it away, or choose another output folder")
    leading = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    with explained("read", folder):
        foreign = next(_foreign_files(folder, names, {*names, *leading}), None)
    if foreign is not None:
        message = (
            f"{folder} exists and is not the partial folder of a merge: "
            f"no merge wrote {foreign} there"
        )
        hint = "move it away, or your files in it, or choose another output folder"
        raise StorageError(message, hint=hint)


def is_intact(folder: Path, shards: Sequence[Shard], names: Collection[str]) -> bool:
    """Whether the weights still have the sizes and headers they were laid out with, so that what
    the journal says of them holds, and no folder has taken the name of a file.
    """
    laid_out = all(_is_intact_shard(folder / shard.file, shard) for shard in shards)
    return laid_out and not any((folder / name).is_dir() for name in names)


def clear(disk: Disk, folder: Path, journal: str) -> None:
    """Remove a partial folder's files, its journal last: it lists the files that a merge wrote."""
    with explained("read", folder), os.scandir(folder) as listed:
        entries = [entry for entry in listed if entry.name != journal]
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            disk.remove_folder(Path(entry.path))
        else:
            disk.remove(Path(entry.path))


def _foreign_files(
    folder: Path, names: Collection[str], leading: Collection[str], below: str = ""
) -> Iterator[str]:
    """Everything in the folder that is no plain file called one of ``names``."""
    with os.scandir(folder / below) as entries:
        for entry in entries:
            name = below + entry.name
            if name in leading and entry.is_dir(follow_symlinks=False):
                yield from _foreign_files(folder, names, leading, f"{name}/")
            elif name not in names or not entry.is_file(follow_symlinks=False):
                yield name


def _is_intact_shard(path: Path, shard: Shard) -> bool:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return size == shard.size and file.read(len(shard.header)) == shard.header
    except OSError:
        return False
