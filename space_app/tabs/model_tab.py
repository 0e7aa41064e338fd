"""The model tab: the page of one model."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from leaderboard.board import Row
from leaderboard.render.board_json import model_id
from leaderboard.render.escape import html
from leaderboard.render.html_parts import section
from space_app.app_context import Context
from space_app.board_pages import model_page
from space_app.votes.vote_tally import tally_words

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
    """Labels and ids, best first, and what is chosen now.

    At most 100, since every visitor's first page carries them. Other names can be typed.
    """
    snapshot = context.live.current
    rows = list(snapshot.all_rows[:MOST_CHOICES])
    rows += [row for word in chosen if (row := snapshot.find(word)) and row not in rows]
    return [(row.name, model_id(row.key)) for row in rows]


def show_model(context: Context, word: str | None) -> str:
    """The page for a word from an address, a link or the picker."""
    snapshot = context.live.current
    row = snapshot.find(word) if word else None
    return model_page(snapshot, word, votes=votes_html(context, row) if row else "")


def votes_html(context: Context, row: Row) -> str:
    """What people preferred, by pair and apart from every score; empty before the first vote."""
    snapshot = context.live.current
    others = [other for name in row.parents if (other := snapshot.find(name))]
    tallies = [(other, context.voting.tally(row.key, other.key)) for other in others]
    lines = [
        f"<li>{html(tally_words(tally, row.name, other.name))}</li>"
        for other, tally in tallies
        if tally.decisive + tally.ties + tally.both_bad + tally.dropped
    ]
    return section("Blind votes", f"<ul>{''.join(lines)}</ul>") if lines else ""
