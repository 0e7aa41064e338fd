"""A Space that is being served to tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import gradio as gr

from space_app.app_context import Context
from space_app.build_app import Space
from tests.space.backends import ScriptedBackend
from tests.space.boards import HOSTILE


@dataclass
class Served:
    """Where a Space answers, what it holds, and the backend that answers its chats."""

    url: str
    context: Context
    backend: ScriptedBackend = field(default_factory=ScriptedBackend)
    hostile: str = HOSTILE

    blocks: gr.Blocks | None = None

    def forget_sessions(self) -> None:
        """Drop what the server knows of its visitors, as a restart does."""
        assert self.blocks is not None
        self.blocks.state_holder.session_data.clear()


def served(space: Space, backend: ScriptedBackend | None = None) -> Iterator[Served]:
    """The Space for as long as a fixture lasts."""
    _, url, _ = space.launch(prevent_thread_lock=True, quiet=True)
    yield Served(url, space.context, backend or ScriptedBackend(), blocks=space.blocks)
    space.blocks.close(verbose=False)
