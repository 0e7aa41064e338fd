"""The chat's front desk: what every tab and test asks to get an answer, with all rules kept."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from leaderboard.number_format import memory as in_words
from space_app.chat.answer_stream import Answer, answer, duet
from space_app.chat.chat_backend import (
    ChatModel,
    Engine,
    LoadState,
    Request,
    Sampling,
    Template,
    Turn,
)
from space_app.chat.model_cache import ModelCache
from space_app.chat.rate_limits import Limits, RequestQueue, Throttle


class Shown(NamedTuple):
    """What to show now: words about the state, the answers so far, and notes that name models."""

    status: str
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a visitor asks of one model or of two."""

    visitor: str
    models: tuple[ChatModel, ...]
    histories: tuple[tuple[Turn, ...], ...]
    system: str
    sampling: Sampling
    lockstep: bool = False


class ChatService:
    """Checks limits, waits in line, loads, asks, and counts; one for the whole Space."""

    def __init__(self, residents: ModelCache, limits: Limits) -> None:
        self.residents = residents
        self.limits = limits
        self._throttle = Throttle(limits)
        self._turnstile = RequestQueue(limits.slots, limits.waiting)
        self._stops: dict[str, tuple[threading.Event, threading.Event]] = {}

    def stop(self, session: str, side: int | None = None) -> None:
        """End the answers that a session is waiting for: one side's, or both."""
        events = self._stops.get(session, ())
        for place, event in enumerate(events):
            if side is None or side == place:
                event.set()

    def ask(self, session: str, question: Question) -> Iterator[Shown]:
        """The whole way from a question to its answers; every refusal is a status."""
        if refused := self._refusal(question):
            yield Shown(refused)
            return
        with self._throttle.admit(question.visitor) as reason:
            if reason:
                yield Shown(reason)
                return
            yield from self._queued(session, question)

    def _refusal(self, question: Question) -> str | None:
        text = question.histories[0][-1].content
        if len(text) > self.limits.prompt:
            return f"The message has {len(text):,} characters; the limit is {self.limits.prompt:,}."
        if max(len(history) for history in question.histories) > self.limits.turns:
            return f"The conversation has {self.limits.turns} turns: start a new one."
        return self.residents.refusal(*question.models)

    def _queued(self, session: str, question: Question) -> Iterator[Shown]:
        ticket = object()
        stops = (threading.Event(), threading.Event())
        self._stops[session] = stops
        try:
            for ahead in self._turnstile.wait(ticket):
                yield Shown(f"Waiting: {ahead} ahead of you")
                if stops[0].is_set():
                    yield Shown("Stopped before it was your turn.")
                    return
            yield from self._loaded(question, stops)
        except OverflowError as full:
            yield Shown(f"{full}; try again in about 3 min.")
        finally:
            for event in stops:
                event.set()
            self._turnstile.leave(ticket)
            if self._stops.get(session) is stops:
                del self._stops[session]

    def _loaded(
        self, question: Question, stops: tuple[threading.Event, threading.Event]
    ) -> Iterator[Shown]:
        for state in self.residents.acquire(*question.models):
            if state.kind != "ready":
                yield Shown(state_words(state))
            if state.kind == "failed":
                return
        engines = [self.residents.engine_for(model) for model in question.models]
        ready = [engine for engine in engines if engine is not None]
        try:
            templates = [
                engine.template(model) for engine, model in zip(ready, question.models, strict=True)
            ]
        except ValueError as unread:
            yield Shown(f"Failed: {unread}")
            return
        notes = tuple(map(template_words, question.models, templates))
        requests = [_request(question, side, template) for side, template in enumerate(templates)]
        answers: tuple[Answer, ...] = ()
        for answers in _answers(ready, requests, stops, lockstep=question.lockstep):
            yield Shown("Writing…", answers, notes)
        failed = any(one.failure for one in answers)
        yield Shown("An answer failed." if failed else "Done.", answers, notes)


def _answers(
    engines: list[Engine],
    requests: list[Request],
    stops: tuple[threading.Event, threading.Event],
    *,
    lockstep: bool,
) -> Iterator[tuple[Answer, ...]]:
    if len(requests) == 1:
        for one in answer(engines[0], requests[0], stops[0]):
            yield (one,)
        return
    pair, asked = (engines[0], engines[1]), (requests[0], requests[1])
    yield from duet(pair, asked, stops, lockstep=lockstep)


def _request(question: Question, side: int, template: Template | None) -> Request:
    history = question.histories[side]
    if template and template.system and question.system.strip():
        history = (Turn("system", question.system.strip()), *history)
    return Request(
        model=question.models[side],
        turns=history,
        sampling=question.sampling,
        completion=template is None,
    )


def template_words(model: ChatModel, template: Template | None) -> str:
    """What a visitor should know of a model's template; nothing where it is the model's own."""
    if template is None:
        return f"No chat template for {model.name}: it continues your text."
    if template.lender is not None:
        return f"{model.name} answers in the chat template of its parent {template.lender}."
    return ""


def state_words(state: LoadState) -> str:
    """A load state in words: ``Downloading 3.1 GB of 16.1 GB``."""
    words = state.kind.capitalize()
    if state.kind == "failed":
        return f"Failed: {state.detail}"
    if state.total:
        words += (
            f" {in_words(state.done)} of {in_words(state.total)}"
            if state.done
            else (f" {in_words(state.total)}")
        )
    return f"{words}: {state.detail}" if state.detail else f"{words}…"


def fresh_seed() -> int:
    """A seed nobody chose."""
    return secrets.randbelow(2**31)
