"""The check of a recipe as it is typed: the command line's messages, and whether it ran before."""

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
    """A recipe with its hash, or its problems.

    ``problems`` carry their place; ``messages`` are the same as the command line prints them.
    ``known`` are the models of this board that the recipe produced.
    """

    recipe: Recipe | None = None
    hash: str | None = None
    problems: tuple[Problem, ...] = ()
    messages: tuple[str, ...] = ()
    known: tuple[Row, ...] = ()


def check(text: str, snapshot: Snapshot) -> CheckResult:
    """Check a recipe's text; never raises. A text that is too long is a problem like others."""
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
