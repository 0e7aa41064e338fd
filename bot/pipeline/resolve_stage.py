"""The stage ``resolve``: every parent is pinned, fetched and hashed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.errors import CheckpointError
from bot.pipeline.make_lock import make_lock
from bot.pipeline.open_parents import open_parents
from bot.pipeline.pins import reuse_lock
from bot.pipeline.resolved_parents import RESOLVED_FILE, leave_resolved, left_lock
from bot.pipeline.run_folder import RunFolder
from bot.recipe.recipe_lock import LOCK_FILE


@dataclass(frozen=True)
class ResolveStage:
    """Names become pins.

    A model on the Hub keeps the commit of the recipe's first run, unless the run asks for an
    update. The parents of a sweep's chosen variant stay those that it was chosen with. A killed
    stage is run again; files that were fetched or hashed are not fetched or hashed again.
    """

    name: str = "resolve"
    needs: tuple[str, ...] = ()
    events: tuple[str, ...] = ("resolve", "fetch")

    def key(self, run: RunFolder) -> str:
        """The key of the request: what its parents are is not known before."""
        return run.settings.request_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The lock, and where the parents' files lie."""
        return run.folder / LOCK_FILE, run.folder / RESOLVED_FILE

    def is_done(self, run: RunFolder) -> bool:
        """Whether the parents that were pinned are still what they were."""
        lock = left_lock(run.folder)
        if lock is None:
            return False
        try:
            pins = run.parents.pins()
        except CheckpointError:
            return False
        # The engine's version and the recipe's form are part of the merge key, and may be newer.
        return (
            make_lock(run.recipe, run.parents, run.settings.engine.device).merge_key
            == (lock.merge_key)
            and pins == lock.pins()
        )

    def execute(self, run: RunFolder) -> None:
        """Open every parent, then write the lock.

        Raises:
            CheckpointError: a parent is broken, or changed since a sweep chose this variant.
            HubError: the Hub refused or is out of reach.
        """
        if run.settings.sweep is not None and left_lock(run.folder) is not None:
            raise CheckpointError(
                "a parent changed since the sweep chose this variant",
                hint="run the sweep again, so that it chooses with the changed parent",
            )
        hub = run.tools.hub
        if not run.tools.update:
            hub = reuse_lock(run.recipe, run.workspace, hub)
        parents = open_parents(run.recipe, run.report, hub, digests=run.digests)
        lock = make_lock(run.recipe, parents, run.settings.engine.device)
        leave_resolved(run.folder, lock, parents)
        run.forget("lock", "plan")
        run.parents = parents
