"""From a recipe's text to a plan."""

from __future__ import annotations

from pathlib import Path

from bot.methods.core.all_methods import catalogue
from bot.plan.merge_plan import Plan
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import load_recipe
from tests.plan.parents import by_ref


def plan_of(folder: Path, text: str, *parents: Parent) -> Plan:
    """The plan for a recipe over these parents."""
    file = folder / "recipe.yaml"
    file.write_text(text)
    return make_plan(load_recipe(file), by_ref(*parents), catalogue())
