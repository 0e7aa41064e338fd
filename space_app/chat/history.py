"""Conversations as the browser shows them: messages of two roles, untrusted text made inert."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.render.escape import clean
from space_app.chat.chat_backend import Turn

Messages = list[dict[str, str]]


def messages(turns: Sequence[Turn]) -> Messages:
    """For the chat component; a label stands above the text that it describes."""
    return [{"role": turn.role, "content": _shown(turn)} for turn in turns]


def _shown(turn: Turn) -> str:
    text = inert(turn.content)
    return f"*{inert(turn.label)}*\n\n{text}" if turn.label else text


def inert(text: str) -> str:
    """Markdown without tags and without pictures: a picture's server would learn who reads it."""
    return clean(text).replace("<", "&lt;").replace("![", "!\\[")


def with_answer(turns: Sequence[Turn], text: str, label: str = "") -> tuple[Turn, ...]:
    """The conversation with the answer so far; ``label`` says which weights made it."""
    return (*turns, Turn("assistant", text, label))


def before_last_answer(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The conversation up to its last question, which is to be answered again."""
    last = len(turns)
    while last and turns[last - 1].role == "assistant":
        last -= 1
    return tuple(turns[:last])
