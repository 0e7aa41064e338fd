"""The live merge: a small merge made anew at another weight, found by entry point.

Whatever is installed beside the Space may register an object under ``mergebot.chat_backends``;
the Space itself knows only this protocol.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

GROUP = "mergebot.chat_backends"


class LiveMergeBackend(Protocol):
    """Makes a merge again with another weight for all of its models."""

    def range_of(self, recipe: str) -> tuple[float, float, float] | None:
        """Lowest, highest and present weight of a recipe; None where it has no such knob."""
        ...

    def remake(self, recipe: str, *, folder: Path, weight: float) -> Path:
        """Merge again; gives a model folder. ``folder`` is what local paths are relative to."""
        ...


def registered_slider() -> LiveMergeBackend | None:
    """The first registered one, None where nothing is installed beside the Space."""
    for entry in entry_points(group=GROUP):
        try:
            made: Any = entry.load()
        except ImportError:
            continue  # registered by a package whose own requirements are not here
        slider: LiveMergeBackend = made()
        return slider
    return None
