"""The recipes in the guide are recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.cli import demo
from bot.recipe.canonical import recipe_hash
from bot.recipe.load_recipe import load_recipe
from bot.recipe.sweep import parse_sweep
from bot.recipe.top_level import TOP_KEYS
from tests.recipe.support import SIGNATURES, parse, problems

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml( sweep)?\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(("kind", "text"), BLOCKS)
def test_every_block_is_a_valid_recipe(kind: str, text: str) -> None:
    if kind:
        assert len(parse_sweep(text, "docs/recipes.md", SIGNATURES)) > 1
        assert problems(text)
    else:
        assert parse(text).references()


def test_every_key_is_mentioned() -> None:
    for key in TOP_KEYS:
        assert key in GUIDE, key


def test_the_readme_shows_the_recipe_of_the_demo() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    carried = load_recipe(ROOT / "recipes" / demo.RECIPE)
    assert recipe_hash(parse(shown)) == recipe_hash(carried)
    assert parse(shown).about.name == carried.about.name
