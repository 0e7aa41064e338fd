"""Finding a run's folder by its path, the beginning of its name or key, or its recipe's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.errors import MergebotError, RecordError
from bot.pipeline.find_record import LEAST_CHARACTERS
from bot.pipeline.run_folder import RunFolder
from bot.pipeline.run_settings import RUN_FILE
from bot.pipeline.workspace import Workspace


def find_run(workspace: Workspace, word: str) -> Path:
    """The folder of the one run that ``word`` names; of several with one recipe name the newest.

    Args:
        workspace: where to look.
        word: a path, the beginning of a folder's name or of a run key, or a recipe's name.

    Raises:
        RecordError: there is no such run, or the beginning is that of several.
    """
    if (Path(word) / RUN_FILE).is_file():
        return Path(word).resolve()
    folders = sorted(path.parent for path in workspace.root.glob(f"runs/*/{RUN_FILE}"))
    named = [folder for folder in folders if word == _name(folder)]
    if named:
        return max(named, key=lambda folder: (folder / RUN_FILE).stat().st_mtime_ns)
    found = [folder for folder in folders if any(key.startswith(word) for key in _keys(folder))]
    if len(word) < LEAST_CHARACTERS or not found:
        known = ", ".join(f"{folder.name} ({_name(folder)})" for folder in folders[:8])
        hint = f"runs here: {known}" if known else "make one with `mergebot run RECIPE --prepare`"
        raise RecordError(f"there is no run {word!r} in {workspace.root}", hint=hint)
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found)
        raise RecordError(f"{word!r} is the beginning of several runs: {names}")
    return found[0]


def _keys(folder: Path) -> Iterator[str]:
    yield folder.name
    try:
        yield RunFolder(folder).run_key
    except MergebotError:
        return  # not resolved yet, or not readable


def _name(folder: Path) -> str:
    try:
        recipe = RunFolder(folder).recipe
    except MergebotError:
        return ""
    return recipe.about.name or Path(recipe.file).stem
