"""A small merge made again at another weight, for the Space's slider.

Registered under the entry-point group ``mergebot.chat_backends``; the Space finds it there and
knows only the two methods' signatures.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from bot.errors import RecipeError, UsageError
from bot.events import silent
from bot.pipeline.merging import EngineOptions, merge_once
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import ModelInput, Recipe, Schedule, ScheduleRow

KNOB = "weight"
METHODS = ("task_arithmetic",)
LOWEST, HIGHEST = 0.0, 1.5
KEPT = 8
"""Merges on disk at once; the ones not used for longest are deleted."""


class LiveMerge:
    """Merges with the engine, in float32 with one rounding, like any other merge."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="mergebot-live-")
        self._made: OrderedDict[str, Path] = OrderedDict()

    def range_of(self, recipe: str) -> tuple[float, float, float] | None:
        """Lowest, highest and present weight; None where a recipe has no single weight a model."""
        try:
            parsed = parse_recipe(recipe)
        except RecipeError:
            return None
        weights = [_weight(model) for model in parsed.models or ()]
        known = [weight for weight in weights if weight is not None]
        if parsed.merge_method not in METHODS or not known or len(known) < len(weights):
            return None
        return LOWEST, max(HIGHEST, *known), sum(known) / len(known)

    def remake(self, recipe: str, *, folder: Path, weight: float) -> Path:
        """The model folder of the merge with this weight for each of its models.

        Raises:
            UsageError: the recipe has no weight to change.
            MergebotError: as for any merge.
        """
        if self.range_of(recipe) is None:
            raise UsageError("this recipe has no single weight to change")
        # Local paths in a recipe are relative to its file, so it is parsed as if it lay there.
        parsed = parse_recipe(recipe, str(folder / "recipe.yaml"))
        changed = _reweighted(parsed, weight)
        key = f"{hash((recipe, str(folder))) & 0xFFFFFFFFFFFF:x}-{weight:.4f}"
        if key not in self._made:
            out = Path(self._home.name) / key
            merge_once(changed, out, EngineOptions(threads=2), silent)
            self._made[key] = out
        self._made.move_to_end(key)
        while len(self._made) > KEPT:
            shutil.rmtree(self._made.popitem(last=False)[1], ignore_errors=True)
        return self._made[key]


def _weight(model: ModelInput) -> float | None:
    schedule = model.parameters.get(KNOB)
    if schedule is None or len(schedule.rows) != 1:
        return None
    value = schedule.rows[0].value
    if isinstance(value, bool | str | tuple) or schedule.rows[0].filter is not None:
        return None
    return float(value)


def _reweighted(recipe: Recipe, weight: float) -> Recipe:
    schedule = Schedule(rows=(ScheduleRow(value=weight),))
    models = tuple(
        replace(model, parameters={**model.parameters, KNOB: schedule})
        for model in recipe.models or ()
    )
    return replace(recipe, models=models)
