"""A small merge made again with its task vectors multiplied by one factor, for the Space's slider.

Registered under the entry-point group ``mergebot.chat_backends``; the Space finds it there and
knows only the signatures of the two methods.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from bot.errors import CheckpointError, RecipeError, UsageError
from bot.isolation import IsolatedResult, Limits, address_space, run_isolated
from bot.pipeline.local_paths import local_path, require_local
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.method_signature import load_signatures
from bot.recipe.recipe import Recipe, Schedule, ScheduleRow

PARAMETER = "lambda"
"""Methods with this parameter compute ``base + lambda * merged task vector``."""
LOWEST, HIGHEST = 0.0, 2.0
CHILD = "bot.pipeline.live_merge_child"
SECONDS = 600.0
"""Wall time that a merge may take."""
NO_SCALE = "this recipe has no scale of its task vectors to change"
MOST_KEPT = 8
"""Merges on disk at once; the least recently used are deleted."""


class LiveMerge:
    """Merges with the engine in an isolated process, like any other merge to the byte."""

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
            raise UsageError(NO_SCALE)
        scaled = scaled_recipe(recipe, folder, scale)
        require_local(scaled, folder)
        named = hashlib.sha256(f"{folder}\0{recipe}".encode()).hexdigest()[:16]
        key = f"{named}-{scale:.4f}"
        with self._lock:
            if key not in self._merged:
                out = Path(self._home.name) / key
                self._merge(recipe, scaled, out, folder=folder, scale=scale)
                self._merged[key] = out / "model"
            self._merged.move_to_end(key)
            while len(self._merged) > MOST_KEPT:
                shutil.rmtree(self._merged.popitem(last=False)[1].parent, ignore_errors=True)
            return self._merged[key]

    def _merge(self, text: str, recipe: Recipe, out: Path, *, folder: Path, scale: float) -> None:
        """Merge in a process that can read only the parents and write only the result."""
        named = [one for ref in recipe.references() for one in (ref, ref.lora) if one is not None]
        parents = [local_path(one, folder) for one in named]
        out.mkdir(parents=True)
        request = {
            "recipe": text, "folder": str(folder), "scale": scale, "out": str(out / "model"),
        }  # fmt: skip
        size = sum(file.stat().st_size for path in parents for file in path.glob("*.safetensors"))
        try:
            done = run_isolated(
                CHILD, request, seconds=SECONDS, readable=parents, writable=[out],
                limits=Limits(memory_bytes=address_space(size)),
            )  # fmt: skip
            _raise_reported(done)
        except BaseException:
            shutil.rmtree(out, ignore_errors=True)
            raise


def scaled_recipe(text: str, folder: Path, scale: float) -> Recipe:
    """The recipe with its task vectors scaled; local paths are relative to ``folder``.

    Raises:
        RecipeError: the text is no recipe.
        UsageError: the recipe cannot be scaled.
    """
    scaled = _scaled(parse_recipe(text, str(folder / "recipe.yaml")), scale)
    if scaled is None:
        raise UsageError(NO_SCALE)
    return scaled


def _raise_reported(done: IsolatedResult) -> None:
    if done.reason is not None:
        raise CheckpointError(f"the merge {done.reason}")
    lines = done.output.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CheckpointError("the merge's process sent no answer that can be read")
    if message := found.get("message"):
        hint = found.get("hint")
        raise CheckpointError(str(message), hint=str(hint) if hint else None)


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
