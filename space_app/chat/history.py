"""Conversations as the browser shows them: messages of two roles, strangers' text made inert."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.render.escape import clean
from space_app.chat.chat_backend import Turn

Messages = list[dict[str, str]]


def messages(turns: Sequence[Turn]) -> Messages:
    """For the chat component. Pictures in answers are not fetched: they would tell who reads."""
    return [{"role": turn.role, "content": inert(turn.content)} for turn in turns]


def inert(text: str) -> str:
    """Text whose mark-up may be rendered, without tags and without anything that loads."""
    return clean(text).replace("<", "&lt;").replace("![", "!\\[")


def with_answer(turns: Sequence[Turn], text: str) -> tuple[Turn, ...]:
    """The conversation with the answer so far."""
    return (*turns, Turn("assistant", text))


def before_last_answer(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The conversation up to its last question, which is to be answered again."""
    last = len(turns)
    while last and turns[last - 1].role == "assistant":
        last -= 1
    return tuple(turns[:last])
