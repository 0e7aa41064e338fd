"""The protocol between the chat and whatever generates text."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

StateKind = Literal["not loaded", "downloading", "loading", "ready", "busy", "evicted", "failed"]
Finish = Literal["end", "length", "repeating", "stopped"]


class Turn(NamedTuple):
    """One message of a conversation; ``label`` is shown to the visitor and sent to no model."""

    role: Literal["system", "user", "assistant"]
    content: str
    label: str = ""

    def as_message(self) -> dict[str, str]:
        """The role and content, as chat templates and servers take them."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, kw_only=True)
class ChatModel:
    """A model that can be talked to.

    Args:
        key: the board's id of it.
        name: its name on the board.
        location: a folder, or a Hub repository.
        revision: the commit of the Hub repository that the record names; None for a folder.
        size: bytes it takes in memory, None where unknown.
        template_source: the parent whose chat template the visitor chose for a model without one.
        scale: factor on the task vectors of a merge that is made again; None for the published one.
    """

    key: str
    name: str
    location: str
    revision: str | None = None
    size: int | None = None
    template_source: ChatModel | None = None
    scale: float | None = None


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is chosen; temperature 0 takes the most likely one."""

    temperature: float = 0.7
    top_p: float = 0.9
    max_tokens: int = 256
    repetition_penalty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a backend does with a conversation.

    ``system`` says whether a system prompt is written, ``template_source`` names the parent whose
    template is used, ``ignored`` names the settings that do not reach the model.
    """

    system: bool
    template_source: str | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to answer. With ``completion`` the text of the last turn is continued as it stands."""

    model: ChatModel
    turns: Sequence[Turn]
    sampling: Sampling
    completion: bool = False


class LoadState(NamedTuple):
    """What is happening to a model; ``done`` and ``total`` are bytes, 0 where unknown."""

    kind: StateKind
    detail: str = ""
    done: int = 0
    total: int = 0


class Piece(NamedTuple):
    """The next part of an answer; only the last one has a ``finish``, the reason why it ended."""

    text: str
    tokens: int = 1
    finish: Finish | None = None


class ChatBackend(Protocol):
    """Generates text. Safe to call from several threads.

    ``accepts_templates`` says whether it can apply another model's chat template.
    """

    name: str
    accepts_templates: bool

    def offers(self, model: ChatModel) -> bool:
        """Whether this backend can run the model at all."""
        ...

    def load(self, model: ChatModel) -> Iterator[LoadState]:
        """Make the model ready; yields each step. The last state is ready or failed."""
        ...

    def is_loaded(self, model: ChatModel) -> bool:
        """Whether a model that was loaded can still answer."""
        ...

    def unload(self, model: ChatModel) -> None:
        """Free the model's memory."""
        ...

    def template(self, model: ChatModel) -> Template | None:
        """The template of a loaded model, else its template source's; None without either.

        Raises:
            ValueError: the template source's template cannot be read.
        """
        ...

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """The answer piece by piece; ends soon after ``stop`` is set.

        Raises:
            Exception: whatever went wrong; the first line of its text is shown to the visitor.
        """
        ...
