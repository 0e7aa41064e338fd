"""The lock of a merge: its parents' pins and its key, which is computed here and nowhere else."""

from __future__ import annotations

from pathlib import Path

from bot.engine.engine_version import ENGINE_VERSION
from bot.errors import StorageError
from bot.methods.core.all_methods import catalogue
from bot.pipeline.machine_info import host
from bot.pipeline.open_parents import ParentSet
from bot.recipe.canonical import merge_key, recipe_hash
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import Lock, LockedParent, dump_lock


def make_lock(recipe: Recipe, parents: ParentSet, device: str) -> Lock:
    """The lock of a recipe over these parents, before anything is merged.

    Raises:
        StorageError: a file has a name that is not text, so that the lock could not be written.
    """
    lock = Lock(
        recipe=recipe.text,
        recipe_file=Path(recipe.file).name,
        recipe_hash=recipe_hash(recipe),
        merge_key=merge_key(recipe, parents.pins(), ENGINE_VERSION),
        engine_version=ENGINE_VERSION,
        seed=recipe.seed,
        parents=tuple(
            LockedParent(
                ref=parent.ref,
                kind=parent.kind,
                pin=parent.pin,
                digest=parent.digest,
                files=parent.files,
                card=parent.card,
            )
            for parent in parents.parents.values()
        ),
        host=host(device),
        exact=catalogue()[recipe.merge_method].exact,
    )
    _require_text(lock)
    return lock


def _require_text(lock: Lock) -> None:
    """Find what cannot be written before the merge, not after hours of it."""
    try:
        dump_lock(lock).encode()
    except UnicodeEncodeError as error:
        text = error.object
        line = text[text.rfind("\n", 0, error.start) + 1 : text.find("\n", error.end)]
        raise StorageError(
            f"the lock cannot hold {line.strip()!r}, because it is not text",
            hint="give the recipe and the models' files names in UTF-8",
        ) from error
