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

MOST_CHOICES = 100


class ModelTab(NamedTuple):
    """The tab's components."""

    picker: Any
    page: Any


def model_tab(context: Context) -> ModelTab:
    """A picker with search, and the page."""
    picker = gr.Dropdown(
        choices=model_choices(context),
        value=None,
        label="Model",
        elem_id="model-picker",
        allow_custom_value=True,
    )
    page = gr.HTML(
        model_page(context.live.current, None),
        elem_id="model-page",
        apply_default_css=False,
        js_on_load=LOADED,
    )
    return ModelTab(picker, page)


def model_choices(context: Context, *chosen: str) -> list[tuple[str, str]]:
    """Names with their ids, best first, and what is chosen now.

    Only so many: every visitor's first page carries them. Other names can be typed.
    """
    snapshot = context.live.current
    rows = list(snapshot.everything[:MOST_CHOICES])
    rows += [row for word in chosen if (row := snapshot.find(word)) and row not in rows]
    return [(row.name, model_id(row.key)) for row in rows]


def show_model(context: Context, word: str | None) -> str:
    """The page for a word from an address, a link or the picker."""
    return model_page(context.live.current, word)
