"""The second tab: everything about one model."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from leaderboard.render.data import model_id
from space_app.context import Context
from space_app.pages import model_page

LOADED = (
    "mergebot.openLinks(element, (name, data) => trigger('open', data));"
    "mergebot.focusHeading(element, watch);"
)


class ModelTab(NamedTuple):
    """The tab's components."""

    picker: Any
    page: Any


def model_tab(context: Context) -> ModelTab:
    """A picker with search, and the page."""
    picker = gr.Dropdown(
        choices=model_choices(context), value=None, label="Model", elem_id="model-picker"
    )
    page = gr.HTML(
        model_page(context.live.current, None),
        elem_id="model-page",
        apply_default_css=False,
        js_on_load=LOADED,
    )
    return ModelTab(picker, page)


def model_choices(context: Context) -> list[tuple[str, str]]:
    """Names with their ids, in the board's order."""
    return [(row.name, model_id(row.key)) for row in context.live.current.everything]


def show_model(context: Context, word: str | None) -> str:
    """The page for a word from an address, a link or the picker."""
    return model_page(context.live.current, word)
