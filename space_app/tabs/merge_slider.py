"""The merge slider: one factor on all task vectors of a merge, 1 being the published merge."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from space_app.app_context import Context
from space_app.chat.rescale import PUBLISHED
from space_app.tabs.chat_view import BLIND, status_html

LABEL = "Scale of the task vectors (1 = the published merge)"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class MergeSlider(NamedTuple):
    """The slider, and the button that sets it back to the published merge."""

    scale: Any
    reset: Any


def merge_slider(context: Context, key: str | None) -> MergeSlider:
    """Shown where the chosen model can be made again."""
    found = context.rescaler.scalable(key)
    low, high = (found.low, found.high) if found else (0.0, 2.0)
    with gr.Row():
        scale = gr.Slider(
            low, high, value=PUBLISHED, step=0.05, visible=found is not None, label=LABEL,
            elem_id="chat-scale", scale=4,
        )  # fmt: skip
        reset = gr.Button(
            "Use the published merge", visible=found is not None, elem_id="chat-published",
            size="sm", scale=1, min_width=160,
        )  # fmt: skip
    return MergeSlider(scale, reset)


def wire_slider(
    context: Context, slider: MergeSlider, *, mode: Any, model: Any, status: Any
) -> None:
    """Choosing a model sets the range; moving the slider says what the next message does."""

    def chosen(name: str, key: str | None) -> tuple[Any, Any]:
        # A blind round draws its own models.
        return slider_for(context, None if name == BLIND else key)

    def moved(key: str | None, scale: float | None) -> str:
        return status_html(scale_words(context, key, scale))

    for choice in (model, mode):
        choice.change(chosen, [mode, model], list(slider), **QUIET)
    slider.scale.input(
        moved, [model, slider.scale], status, trigger_mode="always_last", **QUIET
    )  # fmt: skip
    slider.reset.click(
        lambda key: (PUBLISHED, status_html(scale_words(context, key, PUBLISHED))),
        model, [slider.scale, status], **QUIET,
    )  # fmt: skip


def slider_for(context: Context, key: str | None) -> tuple[Any, Any]:
    """The slider with a model's range at the published scale and its button, or both hidden."""
    found = context.rescaler.scalable(key)
    if found is None:
        return gr.Slider(visible=False, value=PUBLISHED), gr.Button(visible=False)
    shown = gr.Slider(minimum=found.low, maximum=found.high, value=PUBLISHED, visible=True)
    return shown, gr.Button(visible=True)


def scale_words(context: Context, key: str | None, scale: float | None) -> str:
    """What the next message will be answered by."""
    row = context.live.current.find(key) if key else None
    if row is None or context.rescaler.scalable(key) is None:
        return "This model cannot be merged again here."
    if scale is None or scale == PUBLISHED:
        return f"The next message goes to {row.name}, the published merge."
    return f"The next message merges {row.name} again at scale {scale:g} and goes to the result."
