"""Links to models, and the view that an address asks for when a page is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from leaderboard.compare_rows import MOST
from space_app.app_context import Context
from space_app.live_board import LONGEST_NAME
from space_app.tabs.chat_tab import ChatTab
from space_app.tabs.compare_tab import CompareTab, show_compare
from space_app.tabs.leaderboard_tab import refreshed
from space_app.tabs.model_tab import ModelTab, model_choices, show_model

TABS = ("board", "model", "compare", "chat", "submit")
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def open_models(context: Context, tabs: Any, model: ModelTab, sources: Sequence[Any]) -> None:
    """Open the model tab from links in these components, in the page itself, and by the picker."""

    def opened(event: gr.EventData) -> tuple[Any, ...]:
        row = context.live.current.find(event.model)
        choice = _picked(context, event.model) if row else None
        return gr.Tabs(selected="model"), choice, show_model(context, event.model)

    shown = [tabs, model.picker, model.page]
    for source in (*sources, model.page):
        source.open(opened, None, shown, **QUIET)
    model.picker.input(
        lambda word: show_model(context, word), model.picker, model.page,
        js="(id) => { mergebot.goModel(id); return id; }", **QUIET,
    )  # fmt: skip


def open_from_address(
    context: Context,
    blocks: Any,
    tabs: Any,
    board: Any,
    model: ModelTab,
    compared: CompareTab,
    chat: ChatTab,
) -> None:
    """Show what the address asks for: a tab, a model, a comparison."""
    built = board.value

    def arrived(request: gr.Request) -> tuple[Any, ...]:
        query = request.query_params
        word = (query.get("model") or "")[:LONGEST_NAME] or None
        words = [name[:LONGEST_NAME] for name in query.getlist("m")[: MOST + 1]]
        tab = query.get("tab")
        tab = tab if tab in TABS else "model" if word else "board"
        known = word if word and context.live.current.find(word) else None
        baseline, others = (words[0], words[1:]) if words else (None, [])
        return (
            gr.Tabs(selected=tab),
            refreshed(context, built),
            _picked(context, known) if tab == "model" else gr.skip(),
            show_model(context, word) if tab == "model" else gr.skip(),
            _picked(context, baseline) if tab == "compare" else gr.skip(),
            _picked(context, others) if tab == "compare" else gr.skip(),
            show_compare(context, words) if tab == "compare" else gr.skip(),
            *(chat.choose(context, word) if tab == "chat" else (gr.skip(),) * 3),
        )

    outputs = [
        tabs, board, model.picker, model.page, compared.baseline, compared.others, compared.page,
        chat.model, chat.other, chat.status,
    ]  # fmt: skip
    loaded = blocks.load(arrived, None, outputs, **QUIET)
    loaded.then(None, js="() => mergebot.arrived()")


def _picked(context: Context, chosen: str | list[str] | None) -> Any:
    """An update of a picker: this choice, and its name among the choices."""
    words = [chosen] if isinstance(chosen, str) else list(chosen or [])
    return gr.Dropdown(choices=model_choices(context, *words), value=chosen)
