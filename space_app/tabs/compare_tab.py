"""The compare tab: a pinned baseline and up to three models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr

from leaderboard.compare_rows import MOST
from space_app.app_context import Context
from space_app.compare_html import compare_page
from space_app.model_comparison import compare
from space_app.tabs.model_tab import model_choices

LOADED = (
    "mergebot.openLinks(element, (name, data) => trigger('open', data));"
    "mergebot.focusHeading(element, watch); mergebot.copyButtons(element);"
)
REMEMBER = (
    "(baseline, others) => { mergebot.goCompare(baseline, others); return [baseline, others]; }"
)


class CompareTab(NamedTuple):
    """The tab's components."""

    baseline: Any
    others: Any
    page: Any


def compare_tab(context: Context) -> CompareTab:
    """Pickers, a button that swaps, and the page."""
    choices = model_choices(context)
    with gr.Row():
        baseline = gr.Dropdown(
            choices,
            value=None,
            label="Baseline",
            elem_id="compare-baseline",
            allow_custom_value=True,
        )
        others = gr.Dropdown(
            choices, value=[], multiselect=True, max_choices=MOST - 1, label="Against it",
            allow_custom_value=True,
            elem_id="compare-others", scale=2,
        )  # fmt: skip
        swap = gr.Button("Swap", elem_id="compare-swap", scale=0, min_width=90)
    page = gr.HTML(
        compare_page(context.live.current, None),
        elem_id="compare-page", apply_default_css=False, js_on_load=LOADED,
    )  # fmt: skip
    tab = CompareTab(baseline, others, page)
    _wire(context, tab, swap)
    return tab


def show_compare(context: Context, words: Sequence[str]) -> str:
    """The page for models by id, the baseline first."""
    snapshot = context.live.current
    if not words:
        return compare_page(snapshot, None)
    return compare_page(snapshot, compare(snapshot, context.settings.samples, words))


def _wire(context: Context, tab: CompareTab, swap: Any) -> None:
    quiet = {"show_progress": "hidden", "api_visibility": "private"}

    def chosen(baseline: str | None, others: list[str] | None) -> str:
        words = [word for word in (baseline, *(others or [])) if word]
        return show_compare(context, words if len(words) > 1 else [])

    def swapped(baseline: str | None, others: list[str] | None) -> tuple[Any, ...]:
        listed = list(others or [])
        if baseline is None or not listed:
            return baseline, listed, chosen(baseline, listed)
        first, *rest = listed
        return first, [baseline, *rest], chosen(first, [baseline, *rest])

    pickers = [tab.baseline, tab.others]
    for picker in pickers:
        picker.input(chosen, pickers, tab.page, js=REMEMBER, **quiet)
    done = swap.click(swapped, pickers, [*pickers, tab.page], **quiet)
    done.then(None, pickers, None, js=REMEMBER)
