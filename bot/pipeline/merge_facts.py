"""``merge.json``: time and memory of the merge that really ran, and where its recipe was."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.json_formats import MERGE, read_document, write_document
from bot.recipe.recipe import Recipe

if TYPE_CHECKING:
    from leaderboard.record import EngineFacts

MERGE_FILE = "merge.json"


def leave_facts(
    folder: Path, recipe: Recipe, digest: str, seconds: float, options: EngineOptions
) -> None:
    """Write the facts of a merge beside its model, unless those of this very model are there."""
    if kept_facts(folder, digest) is not None:
        return
    from leaderboard.record import EngineFacts  # a merge without a workspace needs no records

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
    write_document(folder / MERGE_FILE, MERGE, content)


def kept_facts(folder: Path, digest: str) -> EngineFacts | None:
    """The facts of the merge that made this model; None where they are not known."""
    from pydantic import ValidationError

    from leaderboard.record import EngineFacts

    kept = read_document(folder / MERGE_FILE, MERGE) or {}
    if kept.get("model_digest") != digest:
        return None
    with suppress(ValidationError):
        return EngineFacts.model_validate(kept.get("engine"))
    return None


def recipe_folder(model: Path) -> Path | None:
    """Where the recipe was run from, for a model that still lies in its workspace.

    Raises:
        RecordError: a newer mergebot wrote that down.
    """
    kept = read_document(model.resolve().parent / MERGE_FILE, MERGE) or {}
    named = kept.get("recipe_folder")
    folder = Path(named) if isinstance(named, str) else None
    return folder if folder is not None and folder.is_dir() else None


def peak_memory() -> int:
    """The largest resident memory this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
