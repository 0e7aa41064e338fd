"""The recipes in the guide are recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.recipe.schema import TOP_KEYS
from bot.recipe.sweep import parse_sweep
from tests.recipe.support import SIGNATURES, parse, problems

GUIDE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
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
