"""A run as the stages see it: its folder, and what lies there, read when it is first needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bot.checkpoint.file_digests import FileDigests
from bot.errors import RecordError
from bot.evaluation.suite_catalog import Suite
from bot.events import Report, silent
from bot.lineage.ancestry import CardOf, no_cards
from bot.methods.core.all_methods import catalogue
from bot.pipeline.find_record import known_record
from bot.pipeline.json_formats import read_object
from bot.pipeline.open_parents import HubResolver, ParentSet, no_hub
from bot.pipeline.resolved_parents import left_lock, reopen_parents
from bot.pipeline.run_log import RunLog
from bot.pipeline.run_settings import RunSettings, read_settings
from bot.pipeline.workspace import Workspace
from bot.plan.merge_plan import Plan
from bot.plan.planner import make_plan
from bot.recipe.canonical import run_key
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import FORMAT as LOCK_FORMAT
from bot.recipe.recipe_lock import LOCK_FILE, Lock, read_lock
from leaderboard.record import Record
from leaderboard.record_store import FolderStore

if TYPE_CHECKING:
    from bot.pipeline.publishing import Operator


@dataclass(frozen=True, kw_only=True)
class StageTools:
    """What stages need that does not lie in a run's folder.

    Args:
        report: progress.
        hub: opens parents on the Hub.
        card_of: looks up the cards of ancestors on the Hub.
        clock: seconds since 1970.
        update: look branches on the Hub up again instead of at the first run's commits.
        rehash: hash local files again, whatever is known about them.
        operator: makes the Hub account that a run is published with, where it is.
    """

    report: Report = silent
    hub: HubResolver = no_hub
    card_of: CardOf = no_cards
    clock: Callable[[], float] = time.time
    update: bool = False
    rehash: bool = False
    operator: Callable[[RunSettings], Operator] | None = None


@dataclass
class RunFolder:
    """A run in this process.

    Args:
        folder: ``<workspace>/runs/<request>``, with a ``run.json``.
        tools: what stages need beside it.
    """

    folder: Path
    tools: StageTools = field(default_factory=StageTools)

    @property
    def workspace(self) -> Workspace:
        """The workspace that the run belongs to."""
        return Workspace(self.folder.parent.parent)

    @cached_property
    def log(self) -> RunLog:
        """The run's log."""
        return RunLog(self.folder, self.tools.clock)

    @cached_property
    def report(self) -> Report:
        """Progress, which goes to the log too."""
        return self.log.reporting(self.tools.report)

    @cached_property
    def settings(self) -> RunSettings:
        """What the run was asked for. Raises RecordError where the folder holds no run."""
        return read_settings(self.folder)

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.settings.load_recipe()

    @property
    def suites(self) -> tuple[Suite, ...]:
        """What the run is evaluated on."""
        return self.settings.suites

    @cached_property
    def digests(self) -> FileDigests:
        """Digests of files that were hashed before."""
        return self.workspace.digests(rehash=self.tools.rehash)

    @cached_property
    def lock(self) -> Lock:
        """The lock, without a result. Raises RecordError before the run has been resolved."""
        lock = left_lock(self.folder)
        if lock is None:
            message = f"the parents of the run in {self.folder} have not been resolved"
            raise RecordError(message, hint=f"mergebot stage {self.folder} resolve")
        return lock

    @cached_property
    def parents(self) -> ParentSet:
        """The opened parents. Raises CheckpointError where one is not what it was."""
        return reopen_parents(self.folder, self.recipe, self.tools.hub, self.digests, self.report)

    @cached_property
    def plan(self) -> Plan:
        """The plan, made from headers. Raises PlanError where the parents do not fit together."""
        resources = self.settings.engine.resources
        return make_plan(self.recipe, self.parents.for_planning(), catalogue(), resources=resources)

    @property
    def run_key(self) -> str:
        """The name of the run's record."""
        return run_key(self.lock.merge_key, {suite.name: suite.digest for suite in self.suites})

    @property
    def merge_folder(self) -> Path:
        """What exists once per merge."""
        return self.workspace.merge(self.lock.merge_key)

    @property
    def model(self) -> Path:
        """The merged model's folder."""
        return self.merge_folder / "model"

    @property
    def merge_lock(self) -> Lock | None:
        """The lock of the finished merge, with its result; None before the merge has ended.

        Raises:
            RecordError: a newer mergebot wrote it.
        """
        path = self.merge_folder / LOCK_FILE
        content = read_object(path)
        if content is None:
            return None
        LOCK_FORMAT.refuse_newer(content, where=str(path))
        try:
            lock = read_lock(path)
        except RecordError:
            return None  # broken: the merge stage writes it again
        return lock if lock.result and lock.merge_key == self.lock.merge_key else None

    @property
    def model_digest(self) -> str:
        """The merge's model digest. Raises RecordError before the merge has ended."""
        lock = self.merge_lock
        if lock is None or lock.result is None:
            message = f"the run in {self.folder} has no finished merge"
            raise RecordError(message, hint=f"mergebot stage {self.folder} merge")
        return lock.result.model_digest

    @property
    def board(self) -> FolderStore:
        """The workspace's board."""
        return FolderStore(self.workspace.board)

    def recorded(self) -> Record | None:
        """The run's record, None where the board has none yet.

        Raises:
            RecordError: the record is broken, or says that the run failed. A record is never
                rewritten by a run; a person may move one of a failed run away.
        """
        known = known_record(self.workspace, self.run_key)
        if known is not None and known.status == "failed":
            path = self.board.records / f"{known.run_key}.json"
            raise RecordError(
                f"{known.name} passes its checks now, but the board has this run as failed",
                hint=f"move {path} away and run again, to record it anew",
            )
        return known

    def forget(self, *names: str) -> None:
        """Drop what was read from the folder, because a stage has written it anew."""
        for name in names:
            self.__dict__.pop(name, None)
