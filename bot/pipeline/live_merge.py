"""A small merge made again with its task vectors multiplied by one factor, for the Space's slider.

Registered under the entry-point group ``mergebot.chat_backends``; the Space finds it there and
knows only the signatures of the two methods.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from bot.errors import RecipeError, UsageError
from bot.events import silent
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.merge_recipe import merge_into_folder
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.method_signature import load_signatures
from bot.recipe.recipe import Recipe, Schedule, ScheduleRow

PARAMETER = "lambda"
"""Methods with this parameter compute ``base + lambda * merged task vector``."""
LOWEST, HIGHEST = 0.0, 2.0
MOST_KEPT = 8
"""Merges on disk at once; the least recently used are deleted."""


class LiveMerge:
    """Merges with the engine, in float32 with one rounding, like any other merge."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="mergebot-live-")
        self._merged: OrderedDict[str, Path] = OrderedDict()
        self._lock = threading.Lock()

    def scale_range(self, recipe: str) -> tuple[float, float] | None:
        """Lowest and highest factor; None where the method has no scale of its task vectors.

        The factor 1 is the recipe as it stands.
        """
        try:
            parsed = parse_recipe(recipe)
        except RecipeError:
            return None
        signature = load_signatures().get(parsed.merge_method)
        known = {parameter.name for parameter in signature.parameters} if signature else set()
        if PARAMETER not in known or not parsed.models or _scaled(parsed, 1.0) is None:
            return None
        return LOWEST, HIGHEST

    def merge_at(self, recipe: str, *, folder: Path, scale: float) -> Path:
        """The model folder of the merge at this factor.

        Args:
            recipe: the recipe's text.
            folder: what its local paths are relative to.
            scale: the factor on all task vectors.

        Raises:
            UsageError: the recipe cannot be scaled.
            MergebotError: as for any merge.
        """
        if self.scale_range(recipe) is None:
            raise UsageError("this recipe has no scale of its task vectors to change")
        # Local paths in a recipe are relative to its file, so it is parsed as if it lay there.
        scaled = _scaled(parse_recipe(recipe, str(folder / "recipe.yaml")), scale)
        if scaled is None:
            raise UsageError("this recipe has no scale of its task vectors to change")
        named = hashlib.sha256(f"{folder}\0{recipe}".encode()).hexdigest()[:16]
        key = f"{named}-{scale:.4f}"
        with self._lock:
            if key not in self._merged:
                out = Path(self._home.name) / key
                merge_into_folder(scaled, out, EngineOptions(threads=2), silent)
                self._merged[key] = out
            self._merged.move_to_end(key)
            while len(self._merged) > MOST_KEPT:
                shutil.rmtree(self._merged.popitem(last=False)[1], ignore_errors=True)
            return self._merged[key]


def _scaled(recipe: Recipe, scale: float) -> Recipe | None:
    """The recipe with its ``lambda`` multiplied; None where that is no number."""
    schedule = recipe.parameters.get(PARAMETER, Schedule(rows=()))
    entries = [_multiplied(entry, scale) for entry in schedule.rows]
    changed = [entry for entry in entries if entry is not None]
    if len(changed) < len(entries):
        return None
    if all(entry.filter is not None for entry in changed):
        changed.append(ScheduleRow(value=scale))  # tensors that no filter names have the default, 1
    parameters = {**recipe.parameters, PARAMETER: Schedule(rows=tuple(changed))}
    return replace(recipe, parameters=parameters)


def _multiplied(entry: ScheduleRow, scale: float) -> ScheduleRow | None:
    value = entry.value
    if isinstance(value, tuple):
        return replace(entry, value=tuple(scale * one for one in value))
    if isinstance(value, bool | str):
        return None
    return replace(entry, value=scale * float(value))
