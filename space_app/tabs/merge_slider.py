"""The merge slider: another weight, the same merge, and the chat goes on with the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from bot.errors import MergebotError
from leaderboard.board import Row
from space_app.app_context import Context
from space_app.chat.chat_backend import ChatModel
from space_app.chat.chat_models import chat_model
from space_app.tabs.chat_view import BLIND, status_html

LARGEST = 4_000_000_000
"""Bytes of a merge that is made again while somebody waits."""


class MergeSlider(NamedTuple):
    """The slider and the model it made last, None while the published one is used."""

    weight: Any
    made: Any


def live_slider(context: Context, key: str | None) -> MergeSlider:
    """Shown where the model chosen at first, or later, can be made again."""
    found = _sliding(context, key)
    low, high, present = found[2] if found else (0.0, 1.5, 0.5)
    weight = gr.Slider(
        low, high, value=present, step=0.05, visible=found is not None, elem_id="chat-weight",
        label="Weight of every parent: release to merge again and talk to the result",
    )  # fmt: skip
    return MergeSlider(weight, gr.State(None))


def wire_slider(
    context: Context, slider: MergeSlider, *, mode: Any, model: Any, status: Any
) -> None:
    """Choosing a model sets the range; releasing the slider makes the merge."""
    quiet = {"show_progress": "hidden", "api_visibility": "private"}

    def chosen(name: str, key: str | None) -> tuple[Any, None]:
        # A blind round draws its own models.
        return gr.Slider(visible=False) if name == BLIND else slider_for(context, key), None

    def released(key: str | None, weight: float) -> tuple[Any, str]:
        made, words = remade(context, key, weight)
        return made, status_html(words)

    for choice in (model, mode):
        choice.change(chosen, [mode, model], list(slider), **quiet)
    slider.weight.release(
        released, [model, slider.weight], [slider.made, status],
        concurrency_limit=1, api_visibility="private",
    )  # fmt: skip


def slider_for(context: Context, key: str | None) -> Any:
    """The slider with a model's range, or hidden."""
    found = _sliding(context, key)
    if found is None:
        return gr.Slider(visible=False)
    low, high, present = found[2]
    return gr.Slider(minimum=low, maximum=high, value=present, visible=True)


def remade(context: Context, key: str | None, weight: float) -> tuple[ChatModel | None, str]:
    """The merge at another weight, ready to be loaded, and what to say of it."""
    found = _sliding(context, key)
    maker = context.settings.slider
    if found is None or maker is None:
        return None, "This model cannot be made again here."
    row, folder, _ = found
    model = chat_model(row, context.settings.weights)
    if row.record is None or model is None:
        return None, "This model cannot be made again here."
    try:
        path = maker.remake(row.record.recipe.text, folder=folder, weight=weight)
    except MergebotError as wrong:
        return None, f"Not merged: {wrong.message}"
    name = f"{model.name} at {weight:g}"
    made = replace(model, key=f"{model.key}@{weight:g}", name=name, location=str(path))
    return made, f"Merged: the next message goes to {name}, which nobody has evaluated."


def _sliding(
    context: Context, key: str | None
) -> tuple[Row, Path, tuple[float, float, float]] | None:
    """The row, its recipe's folder and its range, where it can be made again."""
    row = context.live.current.find(key) if key else None
    maker = context.settings.slider
    if maker is None or row is None or row.record is None or (row.memory_bytes or 0) > LARGEST:
        return None
    folder = context.settings.recipe_folder(row)
    reach = maker.range_of(row.record.recipe.text) if folder else None
    return (row, folder, reach) if folder and reach else None
