"""What the chat tab shows: values for its outputs, and the HTML around the panes."""

from __future__ import annotations

from typing import Any

import gradio as gr

from leaderboard.render.escape import html
from space_app.chat.answer_stream import Answer
from space_app.chat.chat_backend import Turn
from space_app.chat.chat_service import ChatUpdate
from space_app.chat.history import messages

MODES = (ONE, SIDE_BY_SIDE, BLIND) = ("One", "Side by side", "Blind vote")


def view(
    turns: tuple[tuple[Turn, ...], ...],
    shown: ChatUpdate,
    *,
    mode: str,
    token: str | None,
    running: bool = False,
    clear: bool = False,
    voted: bool = False,
    begins: bool = False,
) -> tuple[Any, ...]:
    """Values for the tab's outputs. In a blind round nothing here names or times a model.

    Args:
        turns: the conversations.
        shown: state, answers and notes.
        mode: one of `MODES`.
        token: of the blind round.
        running: whether an answer is being written.
        clear: empty the message box; otherwise it keeps what the visitor is typing.
        voted: whether the round has its vote.
        begins: whether a round begins, so that the reveal of the last one goes away.
    """
    blind, two = mode == BLIND, mode != ONE
    left, right = turns[0], turns[1] if len(turns) > 1 else ()
    answers = shown.answers
    stats = ["" if blind else one.stats for one in answers] + ["", ""]
    notes = [note for note in shown.notes if note and not blind]
    words = " ".join([shown.status, *notes])
    status = "Working…" if blind and running and not answers else words
    votes = gr.Row(visible=blind and not voted and votable(answers))
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
        votes if answers or running else gr.skip(),
        "" if begins else gr.skip(),
    )


def votable(answers: tuple[Answer, ...]) -> bool:
    """Whether a vote may be given.

    No answer failed, both have text, and both have a sentence or one has ended, so that nobody
    waits for the slower side.
    """
    if not answers or not all(one.votable for one in answers):
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
        gr.Dropdown(visible=not blind), gr.Column(visible=two), gr.HTML(visible=two),
        gr.Column(visible=blind), *round_cleared(), *cleared(),
    )  # fmt: skip


def round_cleared() -> tuple[Any, ...]:
    """No blind round: its token, its buttons and its reveal."""
    return None, gr.Row(visible=False), ""


def status_html(words: str) -> str:
    """The state in words, announced when it changes."""
    return f'<p class="mb chat-status" role="status" aria-live="polite">{html(words)}</p>'


def stats_html(words: str) -> str:
    """Speed and ending below an answer."""
    return f'<p class="mb chat-stats">{html(words)}</p>'
