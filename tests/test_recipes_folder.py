"""Every recipe the project carries is valid; the count says that none was passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.pipeline.forecast import forecast, load_checked

ROOT = Path(__file__).parent.parent / "recipes"
RECIPES = sorted(
    path
    for folder in ("community", "showcase", "skills")
    for path in (ROOT / folder).glob("*.yaml")
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_carried_recipe_is_valid_and_plans(path: Path) -> None:
    seen = forecast(load_checked(path))
    assert seen.recipe.about.suites
    assert seen.plan is not None or path.parent.name == "showcase"


def test_no_recipe_was_passed_over() -> None:
    assert len(RECIPES) == len(list(ROOT.glob("*/*.yaml")))
    assert len(RECIPES) > 2
