"""What can be said about a recipe before any weight is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.diagnose import Diagnosis, diagnose
from bot.events import Report
from bot.methods.catalogue import catalogue
from bot.plan.model import Budget, Plan
from bot.plan.planner import make_plan
from bot.plan.sources import open_sources
from bot.recipe.model import ModelRef, Recipe
from bot.runner.resolve import HubResolver, no_hub, open_unpinned, require_local
from bot.sizes import format_bytes


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A valid recipe in a sentence; with a plan as far as its parents can be looked at."""

    recipe: Recipe
    plan: Plan | None
    unseen: tuple[ModelRef, ...]

    @property
    def budget(self) -> Budget | None:
        """What the merge will cost, where that is known."""
        return self.plan.budget if self.plan else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal but worth a look."""
        return self.plan.warnings if self.plan else ()

    @property
    def summary(self) -> str:
        """``ties of 3 models, 26 tensors, 0.9 MB``."""
        count = len(self.recipe.references())
        text = f"{self.recipe.merge_method} of {count} model{'s' if count != 1 else ''}"
        if self.plan is not None:
            size = format_bytes(self.plan.budget.output_bytes)
            return f"{text}, {len(self.plan.jobs)} tensors, {size}"
        names = ", ".join(str(ref) for ref in self.unseen)
        return f"{text}; not planned, as these are on the Hub: {names}"

    def data(self) -> dict[str, Any]:
        """The same as plain data."""
        plan = self.plan
        return {
            "method": self.recipe.merge_method,
            "models": [str(ref) for ref in self.recipe.references()],
            "not_checked": [str(ref) for ref in self.unseen],
            "tensors": len(plan.jobs) if plan else None,
            "output_bytes": plan.budget.output_bytes if plan else None,
            "peak_memory_bytes": plan.budget.peak_memory_bytes if plan else None,
            "warnings": list(self.warnings),
        }


def forecast(recipe: Recipe, hub: HubResolver | None = None) -> Forecast:
    """Plan a recipe from headers alone; nothing is hashed and nothing merged.

    Args:
        recipe: the recipe.
        hub: opens models on the Hub by their headers; without it such a recipe is not planned.

    Raises:
        RecipeError: a local parent is not there.
        PlanError: the parents do not fit together; every mismatch at once.
    """
    folder = Path(recipe.file).parent
    require_local(recipe, folder)
    unseen = tuple(ref for ref in recipe.references() if not ref.is_local)
    if unseen and hub is None:
        return Forecast(recipe=recipe, plan=None, unseen=unseen)
    return Forecast(recipe=recipe, plan=quick_plan(recipe, hub or no_hub), unseen=())


def quick_plan(recipe: Recipe, hub: HubResolver = no_hub) -> Plan:
    """A plan whose sources are known by size and header instead of by a digest of their bytes."""
    return make_plan(recipe, open_unpinned(recipe, hub).parents(), catalogue())


def diagnose_recipe(recipe: Recipe, report: Report, hub: HubResolver = no_hub) -> Diagnosis:
    """What samples of the parents' weights say about merging them."""
    family = open_unpinned(recipe, hub)
    plan = make_plan(recipe, family.parents(), catalogue())
    return diagnose(plan, open_sources(plan, family.parents().values()), report)
