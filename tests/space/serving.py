"""A Space that is being served to tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from space_app.app_context import Context
from space_app.build_app import Space
from tests.space.boards import HOSTILE
from tests.space.engines import ScriptedEngine


@dataclass
class Served:
    """Where a Space answers, what it holds, and the engine that answers its chats."""

    url: str
    context: Context
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    hostile: str = HOSTILE


def served(space: Space, engine: ScriptedEngine | None = None) -> Iterator[Served]:
    """The Space for as long as a fixture lasts."""
    _, url, _ = space.launch(prevent_thread_lock=True, quiet=True)
    yield Served(url, space.context, engine or ScriptedEngine())
    space.blocks.close(verbose=False)
