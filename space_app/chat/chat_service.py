"""Answers questions: checks limits, queues, loads models, and streams answers with their notes."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bot.errors import MergebotError
from leaderboard.number_format import memory as memory_text
from space_app.chat.answer_stream import Answer, answer, answer_pair
from space_app.chat.chat_backend import (
    ChatBackend,
    ChatModel,
    LoadState,
    Request,
    Sampling,
    Template,
    Turn,
)
from space_app.chat.model_cache import ModelCache
from space_app.chat.rate_limits import Limits, RequestQueue, Throttle

Rescale = Callable[[ChatModel], ChatModel]
"""Makes a merge again at its model's scale; gives the model with the new folder.

Raises MergebotError.
"""


class ChatUpdate(NamedTuple):
    """What to show now: the state in words, the answers so far, and notes that name models."""

    status: str
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a visitor asks of one model or of two.

    ``visitor`` is whom limits are counted for, ``address`` limits rates only.
    """

    visitor: str
    address: str = ""
    models: tuple[ChatModel, ...]
    histories: tuple[tuple[Turn, ...], ...]
    system: str
    sampling: Sampling
    lockstep: bool = False


class ChatService:
    """One for the whole Space.

    Args:
        model_cache: the models in memory.
        limits: what is accepted.
        rescale: makes a merge again for models with a ``scale``; None where nothing here can.
    """

    def __init__(
        self, model_cache: ModelCache, limits: Limits, rescale: Rescale | None = None
    ) -> None:
        self.model_cache = model_cache
        self.limits = limits
        self._rescale = rescale
        self._throttle = Throttle(limits)
        self._queue = RequestQueue(limits.slots, limits.waiting)
        self._stops: dict[str, tuple[threading.Event, threading.Event]] = {}

    def stop(self, session: str, side: int | None = None) -> None:
        """End the answers that a session is waiting for: one side's, or both."""
        events = self._stops.get(session, ())
        for place, event in enumerate(events):
            if side is None or side == place:
                event.set()

    def ask(self, session: str, question: Question) -> Iterator[ChatUpdate]:
        """From a question to its answers; every refusal is a status."""
        if refused := self._refusal(question):
            yield ChatUpdate(refused)
            return
        with self._throttle.admit(question.visitor, question.address) as reason:
            if reason:
                yield ChatUpdate(reason)
                return
            yield from self._queued(session, question)

    def _refusal(self, question: Question) -> str | None:
        for words, text, limit in (
            ("message", question.histories[0][-1].content, self.limits.prompt),
            ("system prompt", question.system, self.limits.system),
        ):
            if len(text) > limit:
                return f"The {words} has {len(text):,} characters; the limit is {limit:,}."
        if max(len(history) for history in question.histories) > self.limits.turns:
            return f"The conversation has {self.limits.turns} turns: start a new one."
        return self.model_cache.refusal(*question.models)

    def _queued(self, session: str, question: Question) -> Iterator[ChatUpdate]:
        ticket = object()
        stops = (threading.Event(), threading.Event())
        self._stops[session] = stops
        try:
            for ahead in self._queue.wait(ticket):
                yield ChatUpdate(f"Waiting: {ahead} ahead of you")
                if stops[0].is_set():
                    yield ChatUpdate("Stopped before it was your turn.")
                    return
            yield from self._merged(question, stops)
        except OverflowError as full:
            yield ChatUpdate(f"{full}; try again in about 3 min.")
        finally:
            for event in stops:
                event.set()
            self._queue.leave(ticket)
            if self._stops.get(session) is stops:
                del self._stops[session]

    def _merged(
        self, question: Question, stops: tuple[threading.Event, threading.Event]
    ) -> Iterator[ChatUpdate]:
        """Make the merges that the question wants at another scale, then load and answer."""
        models = list(question.models)
        for place, model in enumerate(models):
            if model.scale is None:
                continue
            if self._rescale is None:
                yield ChatUpdate(f"{model.name} cannot be merged again here.")
                return
            yield ChatUpdate(f"Merging {model.name}…")
            try:
                models[place] = self._rescale(model)
            except MergebotError as wrong:
                hint = f"; {wrong.hint}" if wrong.hint else ""
                yield ChatUpdate(f"Not merged: {wrong.message}{hint}")
                return
        yield from self._loaded(question, tuple(models), stops)

    def _loaded(
        self,
        question: Question,
        models: tuple[ChatModel, ...],
        stops: tuple[threading.Event, threading.Event],
    ) -> Iterator[ChatUpdate]:
        for state in self.model_cache.acquire(*models):
            if state.kind != "ready":
                yield ChatUpdate(state_words(state))
            if state.kind == "failed":
                return
        found = [self.model_cache.backend_for(model) for model in models]
        backends = [backend for backend in found if backend is not None]
        try:
            templates = [
                backend.template(model) for backend, model in zip(backends, models, strict=True)
            ]
        except ValueError as unread:
            yield ChatUpdate(f"Failed: {unread}")
            return
        notes = tuple(
            notes_on(model, template, question.sampling)
            for model, template in zip(models, templates, strict=True)
        )
        requests = [
            _request(question, models[side], side, template)
            for side, template in enumerate(templates)
        ]
        answers: tuple[Answer, ...] = ()
        for answers in _answers(backends, requests, stops, lockstep=question.lockstep):
            yield ChatUpdate("Writing…", answers, notes)
        failed = any(one.failure for one in answers)
        yield ChatUpdate("An answer failed." if failed else "Done.", answers, notes)


def _answers(
    backends: list[ChatBackend],
    requests: list[Request],
    stops: tuple[threading.Event, threading.Event],
    *,
    lockstep: bool,
) -> Iterator[tuple[Answer, ...]]:
    if len(requests) == 1:
        for one in answer(backends[0], requests[0], stops[0]):
            yield (one,)
        return
    pair, asked = (backends[0], backends[1]), (requests[0], requests[1])
    yield from answer_pair(pair, asked, stops, lockstep=lockstep)


def _request(question: Question, model: ChatModel, side: int, template: Template | None) -> Request:
    history = question.histories[side]
    if template and template.system and question.system.strip():
        history = (Turn("system", question.system.strip()), *history)
    return Request(
        model=model, turns=history, sampling=question.sampling, completion=template is None
    )


def notes_on(model: ChatModel, template: Template | None, sampling: Sampling) -> str:
    """What a visitor should know of how a model is asked; empty where all is as chosen."""
    if template is None:
        return f"No chat template for {model.name}: it continues your text."
    notes = []
    if template.template_source is not None:
        source = template.template_source
        notes.append(f"{model.name} answers in the chat template of its parent {source}.")
    if "repetition penalty" in template.ignored and sampling.repetition_penalty != 1.0:
        notes.append(f"The server of {model.name} has no repetition penalty: it was not sent.")
    return " ".join(notes)


def state_words(state: LoadState) -> str:
    """A load state in words: ``Downloading 3.1 GB of 16.1 GB``."""
    words = state.kind.capitalize()
    if state.kind == "failed":
        return f"Failed: {state.detail}"
    if state.total:
        words += (
            f" {memory_text(state.done)} of {memory_text(state.total)}"
            if state.done
            else f" {memory_text(state.total)}"
        )
    return f"{words}: {state.detail}" if state.detail else f"{words}…"


def fresh_seed() -> int:
    """A random seed."""
    return secrets.randbelow(2**31)
