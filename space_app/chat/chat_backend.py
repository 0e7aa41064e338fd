"""What the chat tab asks of whatever generates text."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

StateKind = Literal["not loaded", "downloading", "loading", "ready", "busy", "evicted", "failed"]
Finish = Literal["end", "length", "repeating", "stopped"]


class Turn(NamedTuple):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class ChatModel:
    """A model that can be talked to.

    ``key`` is the board's id of it, ``location`` a folder or a Hub repository, ``size`` the bytes
    it takes in memory where known. ``lender`` is the parent whose chat template the visitor chose
    for a model without one.
    """

    key: str
    name: str
    location: str
    size: int | None = None
    lender: ChatModel | None = None


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen; temperature 0 takes the likeliest."""

    temperature: float = 0.7
    top_p: float = 0.9
    max_tokens: int = 256
    repetition_penalty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a chat template can do, and the parent's name it was borrowed from."""

    system: bool
    lender: str | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to answer. Without a template the last turn's text is continued as it stands."""

    model: ChatModel
    turns: Sequence[Turn]
    sampling: Sampling
    completion: bool = False


class LoadState(NamedTuple):
    """What is happening to a model; ``done`` and ``total`` are bytes where they are known."""

    kind: StateKind
    detail: str = ""
    done: int = 0
    total: int = 0


class Piece(NamedTuple):
    """The next bit of an answer; the last one says why it ended."""

    text: str
    tokens: int = 1
    finish: Finish | None = None


class Engine(Protocol):
    """Generates text. Safe to call from several threads.

    ``borrows`` says whether it can put a chat into another model's template.
    """

    name: str
    borrows: bool

    def offers(self, model: ChatModel) -> bool:
        """Whether this engine can run the model at all."""
        ...

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        """Make the model ready, saying what is going on; the last state is ready or failed."""
        ...

    def unload(self, model: ChatModel) -> None:
        """Give the model's memory back."""
        ...

    def template(self, model: ChatModel) -> Template | None:
        """The loaded model's own chat template, else its lender's; None where it has neither.

        Raises:
            ValueError: the lender's template cannot be read.
        """
        ...

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """The answer piece by piece; ends soon after ``stop`` is set."""
        ...
