"""What the chat tab shows: values for its outputs, and the few lines of HTML around the panes."""

from __future__ import annotations

from typing import Any

import gradio as gr

from leaderboard.render.escape import html
from space_app.chat.answer_stream import Answer
from space_app.chat.chat_backend import Turn
from space_app.chat.chat_service import Shown
from space_app.chat.history import messages

MODES = (ONE, SIDE_BY_SIDE, BLIND) = ("One", "Side by side", "Blind vote")


def view(
    turns: tuple[tuple[Turn, ...], ...],
    shown: Shown,
    *,
    mode: str,
    token: str | None,
    running: bool = False,
    clear: bool = False,
) -> tuple[Any, ...]:
    """Values for the tab's outputs. In a blind round nothing here names or times a model.

    ``clear`` empties the message box; otherwise it keeps what the visitor may be typing by now.
    """
    blind, two = mode == BLIND, mode != ONE
    left, right = turns[0], turns[1] if len(turns) > 1 else ()
    answers = shown.answers
    stats = ["" if blind else one.stats for one in answers] + ["", ""]
    notes = [note for note in shown.notes if note and not blind]
    told = " ".join([shown.status, *notes])
    status = "Working…" if blind and running and not answers else told
    return (
        status_html(status),
        messages(left),
        messages(right),
        stats_html(stats[0]),
        stats_html(stats[1]),
        left,
        right,
        "" if clear else gr.skip(),
        gr.Button(interactive=not running),
        gr.Button(interactive=running),
        gr.Button(interactive=not running and not blind),
        gr.Button(visible=running and two),
        gr.Button(visible=running and two),
        token,
        gr.Row(visible=blind and _votable(answers)) if answers or running else gr.skip(),
    )


def _votable(answers: tuple[Answer, ...]) -> bool:
    """Both have a sentence, or one has ended: nobody has to wait for the slower side."""
    if not answers:
        return False
    sentences = [any(end in one.text for end in ".!?\n") for one in answers]
    return all(sentences) or any(one.done for one in answers)


def cleared() -> tuple[Any, ...]:
    """Empty conversations."""
    return (), (), [], [], stats_html(""), stats_html("")


def mode_changed(mode: str) -> tuple[Any, ...]:
    """Which pickers and panes a mode shows; every mode starts empty."""
    blind, two = mode == BLIND, mode != ONE
    return (
        gr.Dropdown(visible=not blind), gr.Dropdown(visible=mode == SIDE_BY_SIDE),
        gr.Column(visible=two), gr.HTML(visible=two), gr.Column(visible=blind), None, "",
        *cleared(),
    )  # fmt: skip


def status_html(words: str) -> str:
    """The state in words, announced when it changes."""
    return f'<p class="mb chat-status" role="status" aria-live="polite">{html(words)}</p>'


def stats_html(words: str) -> str:
    """Speed and ending below an answer."""
    return f'<p class="mb chat-stats">{html(words)}</p>'
