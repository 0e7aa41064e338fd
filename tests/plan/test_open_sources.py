"""Opening a plan's sources over its parents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import PlanError
from bot.plan.open_sources import open_sources
from tests.plan.parents import HeaderSource, llama
from tests.plan.recipes import plan_of

LINEAR = """
merge_method: linear
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
"""


def test_parents_as_they_are(tmp_path: Path) -> None:
    parents = llama("org/a"), llama("org/b")
    opened = open_sources(plan_of(tmp_path, LINEAR, *parents), parents)
    assert opened == {"a": parents[0].source, "b": parents[1].source}


def test_other_bytes_than_the_plan_was_made_for(tmp_path: Path) -> None:
    parents = llama("org/a"), llama("org/b")
    plan = plan_of(tmp_path, LINEAR, *parents)
    moved = replace(parents[1], source=HeaderSource({}, {}, "another commit"))
    with pytest.raises(PlanError, match="b at digest of org/b, and this is another commit"):
        open_sources(plan, (parents[0], moved))
    with pytest.raises(PlanError, match="a at digest of org/a, and this is missing"):
        open_sources(plan, parents[1:])
