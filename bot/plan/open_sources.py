"""Opens the sources that a plan's jobs read from, given its parents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.checkpoint.source import Source
from bot.errors import PlanError, Problem
from bot.plan.merge_plan import ParentView, Plan
from bot.plan.parent_model import Parent
from bot.tokens.aligned_source import AlignedSource


def open_sources(plan: Plan, parents: Iterable[Parent]) -> Mapping[str, Source]:
    """A source for every key that the plan's slots name.

    Raises:
        PlanError: a parent is missing, or holds other bytes than the plan was made for.
    """
    by_key = {parent.key: parent.source for parent in parents}
    stale = [
        Problem(
            message=f"the plan was made for {key} at {wanted}, "
            f"and this is {by_key[key].id if key in by_key else 'missing'}",
            hint="make the plan again",
        )
        for key, wanted in plan.parents.items()
        if key not in by_key or by_key[key].id != wanted
    ]
    if stale:
        raise PlanError(stale)
    return {key: _open(view, plan, by_key) for key, view in plan.sources.items()}


def _open(view: ParentView, plan: Plan, by_key: Mapping[str, Source]) -> Source:
    if view.alignment is None:
        return by_key[view.parent]
    return AlignedSource(view.parent, by_key, plan.alignments[view.alignment])
