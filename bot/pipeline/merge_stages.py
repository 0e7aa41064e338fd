"""The stages ``plan``, ``merge`` and ``check``: from pinned parents to a checked model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.check.checks import PROMPTS, CheckReport, check_model
from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.manifest import MANIFEST_FILE
from bot.errors import CheckFailedError, CheckpointError
from bot.evaluation.suite_catalog import Suite
from bot.events import Event, Report
from bot.pipeline.json_formats import CHECKS, read_document, write_document
from bot.pipeline.merge_facts import MERGE_FILE, kept_facts
from bot.pipeline.merge_recipe import RECIPE_FILE, leave_plan, merge_in_workspace
from bot.pipeline.open_parents import ParentSet
from bot.pipeline.run_folder import RunFolder
from bot.plan.plan_json import PLAN_FILE, planned_digest
from bot.recipe.recipe_lock import LOCK_FILE

CHECKS_FILE = "checks.json"


@dataclass(frozen=True)
class PlanStage:
    """Headers become a plan; every mismatch of the parents is found here."""

    name: str = "plan"
    needs: tuple[str, ...] = ("resolve",)
    events: tuple[str, ...] = ()

    def key(self, run: RunFolder) -> str:
        """The merge key."""
        return run.lock.merge_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The recipe and the plan, beside the model that is to come."""
        return run.merge_folder / RECIPE_FILE, run.merge_folder / PLAN_FILE

    def is_done(self, run: RunFolder) -> bool:
        """Whether the plan that lies there is the one that would be made now."""
        recipe, plan = self.leaves(run)
        return recipe.is_file() and planned_digest(plan) == run.plan.digest

    def execute(self, run: RunFolder) -> None:
        """Write the plan. Raises PlanError where the parents do not fit together."""
        leave_plan(run.merge_folder, run.recipe, run.plan)


@dataclass(frozen=True)
class MergeStage:
    """A plan becomes weights. A killed merge goes on after the last durable tensor."""

    name: str = "merge"
    needs: tuple[str, ...] = ("plan",)
    events: tuple[str, ...] = ("merge",)

    def key(self, run: RunFolder) -> str:
        """The merge key."""
        return run.lock.merge_key

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The model with its digests, time and memory, and the lock with its result."""
        folder = run.merge_folder
        return run.model / MANIFEST_FILE, folder / MERGE_FILE, folder / LOCK_FILE

    def is_done(self, run: RunFolder) -> bool:
        """Whether the model is there. Raises CheckpointError where it was changed."""
        if run.merge_lock is None or not all(path.is_file() for path in self.leaves(run)):
            return False
        if kept_facts(run.merge_folder, run.model_digest) is None:
            return False
        require_unchanged(run.model, run.model_digest, run.digests)
        return True

    def execute(self, run: RunFolder) -> None:
        """Merge.

        Raises:
            CheckpointError, NonFiniteError: a parent is broken, or the merge is not finite.
            StorageError: the disk refused.
        """
        merged = merge_in_workspace(
            run.recipe, run.parents, run.workspace, run.settings.engine, run.report
        )
        require_unchanged(merged.model, merged.digest, run.digests)
        note_identical_parents(merged.digest, run.parents, run.report)


def note_identical_parents(digest: str, parents: ParentSet, report: Report) -> None:
    """Say which parents the merge is identical to; such a merge is never published."""
    names = sorted(one.ref.name for one in parents.parents.values() if one.digest == digest)
    for name in names:
        said = f"the merge is identical to {name}: its weights are the same, and nothing is gained"
        report(Event("merge", "note", item=said))


def require_unchanged(model: Path, digest: str, digests: FileDigests) -> None:
    """Refuse to check or score files that are not what the merge made.

    Raises:
        CheckpointError: something has changed them since.
    """
    if FolderSource(model, digests=digests).id != digest:
        raise CheckpointError(
            f"{model} is not what the merge made: its files were changed since",
            hint="remove that folder and run the recipe again; scores are kept",
        )


@dataclass(frozen=True)
class CheckStage:
    """A model is loaded and tried before it is scored, once per model digest."""

    name: str = "check"
    needs: tuple[str, ...] = ("merge",)
    events: tuple[str, ...] = ("check",)

    def key(self, run: RunFolder) -> str:
        """The model digest."""
        return run.model_digest

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The report of the checks."""
        return (run.merge_folder / CHECKS_FILE,)

    def is_done(self, run: RunFolder) -> bool:
        """Whether the model has passed. One that failed is not done, and fails again."""
        found = kept_checks(run.merge_folder, run.model_digest)
        return found is not None and found.passed

    def execute(self, run: RunFolder) -> None:
        """Check the model. Raises CheckFailedError naming every hard check that failed."""
        checked(run.model, run.model_digest, run.parents, run.suites, run.report)


def checked(
    model: Path, digest: str, parents: ParentSet, suites: Sequence[Suite], report: Report
) -> CheckReport:
    """The report on a merge that passed its checks; they run once per model digest.

    Raises:
        CheckFailedError: a hard check failed; names the tensor or token.
    """
    found = kept_checks(model.parent, digest)
    if found is None:
        folders = [parent.folder for parent in parents.parents.values() if parent.folder]
        prompts = [prompt for suite in suites for prompt in suite.data.example_prompts]
        found = check_model(model, folders, prompts=prompts or PROMPTS, report=report)
        rows = [row.model_dump(mode="json") for row in found.checks]
        content = {"model_digest": digest, "checks": rows}
        write_document(model.parent / CHECKS_FILE, CHECKS, content)
    found.require()
    return found


def kept_checks(folder: Path, digest: str) -> CheckReport | None:
    """What was found earlier about these very weights; None where that cannot be read."""
    kept = read_document(folder / CHECKS_FILE, CHECKS) or {}
    if kept.get("model_digest") != digest:
        return None
    with suppress(CheckFailedError):
        found = CheckReport.from_json(json.dumps(kept))
        return found if found.checks else None  # an empty report would let anything pass
    return None
