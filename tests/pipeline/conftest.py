"""One small journey that the tests of the pipeline share: stopped in every stage, then finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.errors import InterruptedRunError
from bot.evaluation.suite_catalog import Suite
from bot.events import Event, Report
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.run_recipe import RunOptions, RunResult, run
from bot.pipeline.workspace import Workspace
from bot.recipe.load_recipe import load_recipe
from tests.evaluation.conftest import load_mini
from tests.evaluation.models import weights, write_model

RECIPE = """\
merge_method: task_arithmetic
base_model: ./base
models:
  - model: ./one
    parameters: {weight: 0.5}
  - model: ./two
    parameters: {weight: 0.25}
dtype: float32
name: half-and-quarter
license: mit
"""
NOW = 1_800_000_000.0
ENGINE = EngineOptions(threads=2)
STOPS: tuple[Callable[[Event], bool], ...] = (
    lambda event: event[:2] == ("resolve", "advance"),
    lambda event: event[:2] == ("merge", "start"),
    lambda event: event[:2] == ("merge", "end"),
    lambda event: event.stage == "evaluate" and event.item.startswith("one is evaluated"),
    lambda event: event[:2] == ("compare", "start"),
)


@dataclass(frozen=True, kw_only=True)
class Journey:
    """Where the recipe and its models are, the suite, and what runs left in the workspace.

    ``stopped`` counts the runs that were stopped; ``seen`` are all events of all runs.
    """

    recipe: Path
    workspace: Workspace
    suite: Suite
    result: RunResult
    stopped: int
    seen: list[Event] = field(default_factory=list)

    def again(self, report: Report) -> RunResult:
        return travel(self.recipe, self.workspace, self.suite, report)


def write_models(folder: Path) -> Path:
    """Three tiny Llamas and the recipe that merges them."""
    for seed, (name, license) in enumerate([("base", "mit"), ("one", "mit"), ("two", "mit")]):
        write_model(folder / name, seed=seed, tensors=weights(seed))
        (folder / name / "README.md").write_text(f"---\nlicense: {license}\n---\n")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


def travel(recipe: Path, workspace: Workspace, suite: Suite, report: Report) -> RunResult:
    options = RunOptions(suites=(suite,), engine=ENGINE, clock=lambda: NOW)
    return run(load_recipe(recipe), workspace=workspace, options=options, report=report)


@pytest.fixture(scope="package")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    folder = tmp_path_factory.mktemp("journey")
    recipe = write_models(folder)
    workspace, suite = Workspace(folder / "workspace"), load_mini(folder / "mini")
    seen: list[Event] = []
    stopped = 0
    for stop in STOPS:
        with pytest.raises(InterruptedRunError):
            travel(recipe, workspace, suite, _until(stop, seen))
        stopped += 1
    result = travel(recipe, workspace, suite, seen.append)
    return Journey(
        recipe=recipe, workspace=workspace, suite=suite, result=result, stopped=stopped, seen=seen
    )


def _until(stop: Callable[[Event], bool], seen: list[Event]) -> Report:
    def report(event: Event) -> None:
        seen.append(event)
        if stop(event):
            raise InterruptedRunError("stopped by the test")

    return report
