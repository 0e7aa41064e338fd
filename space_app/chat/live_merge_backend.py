"""The protocol of the live merge: a small merge made again at another scale.

Whatever is installed beside the Space may register an object under ``mergebot.chat_backends``;
the Space itself knows only this protocol.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

GROUP = "mergebot.chat_backends"


class LiveMergeBackend(Protocol):
    """Makes a merge again with its task vectors multiplied by one factor."""

    def scale_range(self, recipe: str) -> tuple[float, float] | None:
        """Lowest and highest factor for a recipe; None where it cannot be scaled.

        The factor 1 is the recipe as it stands.
        """
        ...

    def merge_at(self, recipe: str, *, folder: Path, scale: float) -> Path:
        """The model folder of the merge at a factor. Local paths are relative to ``folder``.

        Raises:
            MergebotError: it cannot be merged.
        """
        ...


def registered_live_merge() -> LiveMergeBackend | None:
    """The first registered one; None where nothing is installed beside the Space."""
    for entry in entry_points(group=GROUP):
        try:
            made: Any = entry.load()
        except ImportError:
            continue  # registered by a package whose own requirements are not here
        backend: LiveMergeBackend = made()
        return backend
    return None
