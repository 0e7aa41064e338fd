"""A recipe keeps the commits of its first run: a branch that moved does not make another merge."""

from __future__ import annotations

from bot.errors import RecordError
from bot.pipeline.open_parents import HubResolver, at_pins
from bot.pipeline.workspace import Workspace
from bot.recipe.canonical import recipe_hash
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import LOCK_FILE, Lock, read_lock


def reuse_lock(recipe: Recipe, workspace: Workspace, hub: HubResolver) -> HubResolver:
    """A resolver that opens Hub models at the commits this recipe was first run with, if any."""
    lock = first_lock(recipe, workspace)
    return hub if lock is None else at_pins(hub, lock.pins())


def first_lock(recipe: Recipe, workspace: Workspace) -> Lock | None:
    """The lock of the oldest merge of this very recipe in the workspace."""
    wanted = recipe_hash(recipe)
    paths = workspace.root.glob(f"merges/*/{LOCK_FILE}")
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        try:
            lock = read_lock(path)
        except RecordError:
            continue  # a torn lock pins nothing; the merge is made again
        if lock.recipe_hash == wanted:
            return lock
    return None
