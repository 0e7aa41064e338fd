"""Whether a merge could be recorded and published, asked before anything is hashed or merged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot.lineage.ancestry import CardOf
from bot.lineage.build_record import RunContext
from bot.lineage.dry_run import NO_DIGEST, dry_run
from bot.lineage.resolved_parent import ResolvedParent
from bot.methods.core.all_methods import catalogue
from bot.pipeline.open_parents import ParentSet, local_card
from bot.plan.merge_plan import Plan
from bot.recipe.recipe import Recipe
from leaderboard.record import Attempts

_SOME_TIME = "2026-01-01T00:00:00Z"


def publishing_faults(
    recipe: Recipe, parents: ParentSet, plan: Plan, card_of: CardOf
) -> tuple[str, ...]:
    """Why the merge could not be published under its own name; empty where it could.

    Args:
        recipe: the recipe.
        parents: its opened parents, pinned or not.
        plan: its plan.
        card_of: looks up the cards of ancestors on the Hub.

    Raises:
        RecordError: the merge's record could not be written.
    """
    name = recipe.about.name or Path(recipe.file).stem
    context = RunContext(
        run_key=NO_DIGEST,
        merge_key=NO_DIGEST,
        created=_SOME_TIME,
        name=name,
        recipe=recipe,
        signature=catalogue()[recipe.merge_method].signature,
        parents={key: _with_card(parent) for key, parent in parents.parents.items()},
        attempts=Attempts(family="forecast"),
    )
    tried = dry_run(context, plan, card_of=card_of)
    return tuple(
        f"as it is, {fault.message}" + (f" ({fault.hint})" if fault.hint else "")
        for fault in tried.faults(tried.record.name)
    )


def _with_card(parent: ResolvedParent) -> ResolvedParent:
    """A parent with its digest in the form of a key, and with its card if it is a local folder."""
    known = replace(parent, digest=NO_DIGEST)
    if parent.kind != "local" or parent.folder is None:
        return known
    return replace(known, card=local_card(parent.folder))
