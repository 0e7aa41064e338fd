"""Merges of the board, made again at another scale of their task vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bot.errors import UsageError
from leaderboard.board import Row
from space_app.chat.chat_backend import ChatModel
from space_app.live_board import Snapshot
from space_app.space_settings import Settings

LARGEST = 4_000_000_000
"""Bytes of a merge that is made again while somebody waits."""
PUBLISHED = 1.0
"""The scale of the merge as its recipe describes it."""


class ScalableMerge(NamedTuple):
    """A merge that can be made again: its recipe, the folder of its local paths, and the range."""

    recipe: str
    folder: Path
    low: float
    high: float


class Rescaler:
    """Makes merges of the board again.

    Args:
        settings: the live merge and where recipes are.
        current: gives the board's present state.
    """

    def __init__(self, settings: Settings, current: Callable[[], Snapshot]) -> None:
        self._settings = settings
        self._current = current

    def scalable(self, key: str | None) -> ScalableMerge | None:
        """What a model can be made again from; None where it cannot be."""
        row = self._current().find(key) if key else None
        live_merge = self._settings.live_merge
        if live_merge is None or row is None or row.record is None or _too_large(row):
            return None
        folder = self._settings.recipe_folder(row)
        reach = live_merge.scale_range(row.record.recipe.text) if folder else None
        return ScalableMerge(row.record.recipe.text, folder, *reach) if folder and reach else None

    def at_scale(self, model: ChatModel, scale: float) -> ChatModel:
        """The model at a scale, still to be merged; the model itself at the published scale."""
        found = self.scalable(model.key)
        if found is None or scale == PUBLISHED or not math.isfinite(scale):
            return model
        scale = round(min(max(scale, found.low), found.high), 4)
        if scale == PUBLISHED:
            return model
        return replace(
            model, key=f"{model.key}@{scale:g}", name=f"{model.name} at scale {scale:g}",
            scale=scale,
        )  # fmt: skip

    def label(self, model: ChatModel) -> str:
        """Which weights answer, for merges that can be scaled; empty for others."""
        if model.scale is not None:
            return f"{model.name}, made here and not evaluated"
        return f"{model.name}, the published merge" if self.scalable(model.key) else ""

    def __call__(self, model: ChatModel) -> ChatModel:
        """Merge a model at its scale.

        Raises:
            UsageError: the model cannot be made again.
            MergebotError: as for any merge.
        """
        found = self.scalable(model.key.partition("@")[0])
        live_merge = self._settings.live_merge
        if found is None or live_merge is None or model.scale is None:
            raise UsageError(f"{model.name} cannot be merged again here")
        path = live_merge.merge_at(found.recipe, folder=found.folder, scale=model.scale)
        return replace(model, location=str(path), revision=None)


def _too_large(row: Row) -> bool:
    return (row.memory_bytes or 0) > LARGEST
