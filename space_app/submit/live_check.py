"""The live check: the command line's own messages, and whether the board has the recipe already."""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import MergebotError, Problem
from bot.recipe.canonical import recipe_hash
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import Recipe
from bot.recipe.render_problems import render_problem
from leaderboard.board import Row
from space_app.live_board import Snapshot

FILE = "recipe.yaml"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What is known of a text: a recipe with its hash, or its problems.

    ``problems`` carry their place; ``messages`` are the same as the command line prints them.
    ``known`` are the models that this recipe has made before.
    """

    recipe: Recipe | None = None
    hash: str | None = None
    problems: tuple[Problem, ...] = ()
    messages: tuple[str, ...] = ()
    known: tuple[Row, ...] = ()


def check(text: str, snapshot: Snapshot) -> CheckResult:
    """Check a recipe's text; never raises."""
    try:
        recipe = parse_recipe(text, FILE)
        made = recipe_hash(recipe)
    except MergebotError as wrong:
        problems = tuple(wrong.problems())
        return CheckResult(problems=problems, messages=tuple(map(render_problem, problems)))
    known = tuple(
        row for row in snapshot.all_rows if row.record and row.record.recipe.canonical_hash == made
    )
    return CheckResult(recipe=recipe, hash=made, known=known)


def file_name(checked: CheckResult) -> str:
    """The recipe's path in the recipes repository; its hash stands in for a missing name."""
    name = checked.recipe.about.name if checked.recipe else None
    return f"recipes/community/{name or 'recipe-' + (checked.hash or '')[:8]}.yaml"
