"""The first tab: the board's own table in one HTML component."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from space_app.app_context import Context
from space_app.board_pages import board_html

LOADED = "mergebot.boardTab(element, (name, data) => trigger('open', data), watch, {share});"


def board_component(context: Context) -> Any:
    """The table, its first rows in the first response, and everything around it."""
    share = json.dumps(context.settings.share_base) if context.settings.share_base else "undefined"
    return gr.HTML(
        board_html(context.live.current, title=context.settings.title),
        elem_id="board",
        apply_default_css=False,
        js_on_load=LOADED.replace("{share}", share),
    )


def refreshed(context: Context, shown: str) -> Any:
    """The board's HTML where it is not what the page was built with."""
    now = board_html(context.live.current, title=context.settings.title)
    return gr.skip() if now == shown else now
