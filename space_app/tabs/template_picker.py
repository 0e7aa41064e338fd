"""A chat template for a model that has none: a parent's, where the visitor chooses it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from space_app.app_context import Context
from space_app.chat.chat_backend import ChatModel
from space_app.chat.chat_models import chat_model, template_sources
from space_app.tabs.chat_view import ONE, SIDE_BY_SIDE

NO_SOURCE = ""
NONE = ("None: it continues your text", NO_SOURCE)


def template_picker(context: Context, key: str | None, letter: str) -> Any:
    """The choice for the model that is chosen at first."""
    return gr.Dropdown(elem_id=f"chat-template-{letter}", min_width=240, **_choice(context, key))


def wire_template_pickers(
    context: Context, pickers: tuple[Any, Any], *, mode: Any, model: Any, other: Any
) -> None:
    """Choosing a model or a mode updates the templates that can be chosen."""
    # A blind round draws its own models, and each is asked with its own template.
    for picker, chosen, modes in (
        (pickers[0], model, (ONE, SIDE_BY_SIDE)),
        (pickers[1], other, (SIDE_BY_SIDE,)),
    ):
        for event in (mode.change, chosen.change):
            event(
                _refresher(context, modes), [mode, chosen], picker,
                show_progress="hidden", api_visibility="private",
            )  # fmt: skip


def _refresher(context: Context, modes: tuple[str, ...]) -> Any:
    def refreshed(mode: str, key: str | None) -> Any:
        return gr.Dropdown(**_choice(context, key if mode in modes else None))

    return refreshed


def with_template_of(context: Context, model: ChatModel, source: str | None) -> ChatModel:
    """The model with the chosen parent's template; unchanged where that is no parent of it."""
    # A merge made again at another scale is called <id>@<scale>.
    known = {parent.key: parent for parent in _sources(context, model.key.partition("@")[0])}
    return replace(model, template_source=known.get(source or NO_SOURCE))


def _choice(context: Context, key: str | None) -> dict[str, Any]:
    found = _sources(context, key)
    choices = [NONE, *((f"That of its parent {parent.name}", parent.key) for parent in found)]
    row = context.live.current.find(key) if key else None
    name = row.name if row else "the model"
    return {
        "choices": choices, "value": NO_SOURCE, "visible": bool(found),
        "label": f"Chat template ({name} has none)",
    }  # fmt: skip


def _sources(context: Context, key: str | None) -> list[ChatModel]:
    snapshot, weights = context.live.current, context.settings.weights
    row = snapshot.find(key) if key else None
    model = chat_model(row, weights) if row else None
    backend = context.chat_service.model_cache.backend_for(model) if model else None
    accepts = backend is not None and backend.accepts_templates
    return template_sources(row, snapshot, weights) if row and accepts else []
