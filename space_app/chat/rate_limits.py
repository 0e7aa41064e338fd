"""How much one visitor and one address may ask for, and the queue in front of the backends."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the chat accepts.

    Args:
        running: answers that one visitor may have written at once.
        per_minute: questions of one visitor in a minute.
        per_hour: questions of one visitor in an hour.
        address_factor: how many times that one address may ask: an office shares one.
        prompt: characters of a message.
        system: characters of a system prompt.
        turns: messages of a conversation.
        slots: questions that are answered at once.
        waiting: questions that may wait.
    """

    running: int = 1
    per_minute: int = 6
    per_hour: int = 60
    address_factor: int = 10
    prompt: int = 2_560
    system: int = 2_560
    turns: int = 50
    slots: int = 2
    waiting: int = 20


class Throttle:
    """Counts the questions of each visitor and of each address in the last hour."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)
        self._running: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    @contextmanager
    def admit(self, visitor: str, address: str = "") -> Iterator[str | None]:
        """Enter with None, or with the reason why not and how long to wait.

        ``address`` limits rates only; several visitors may share one.
        """
        reason = self._enter(visitor, address)
        try:
            yield reason
        finally:
            if reason is None:
                with self._lock:
                    self._running[visitor] -= 1

    def _enter(self, visitor: str, address: str) -> str | None:
        with self._lock:
            moment = self._clock()
            self._forget_before(moment - 3600)
            if self._running[visitor] >= self._limits.running:
                return "One answer at a time: stop the one that is being written, or wait for it."
            counted = [(visitor, 1)]
            if address and address != visitor:
                counted.append((address, self._limits.address_factor))
            for name, factor in counted:
                if reason := self._too_many(name, factor, moment):
                    return reason
            for name, _ in counted:
                self._asked[name].append(moment)
            self._running[visitor] += 1
            return None

    def _too_many(self, name: str, factor: int, moment: float) -> str | None:
        asked = self._asked[name]
        minute = [at for at in asked if at > moment - 60]
        for recent, limit, span in (
            (minute, factor * self._limits.per_minute, 60),
            (list(asked), factor * self._limits.per_hour, 3600),
        ):
            if len(recent) >= limit:
                wait = int(recent[-limit] + span - moment) + 1
                return f"Too many questions: {limit} per {_span(span)}. Try again in {wait} s."
        return None

    def _forget_before(self, moment: float) -> None:
        """Drop what is too old to count, and visitors of whom nothing is left."""
        for visitor, asked in list(self._asked.items()):
            while asked and asked[0] <= moment:
                asked.popleft()
            if not asked and not self._running[visitor]:
                del self._asked[visitor]
                self._running.pop(visitor, None)


def _span(seconds: int) -> str:
    return "minute" if seconds == 60 else "hour"


class RequestQueue:
    """First come, first served; each waiting request learns how many are ahead of it."""

    def __init__(self, slots: int, waiting: int) -> None:
        self._slots = slots
        self._waiting = waiting
        self._line: list[object] = []
        self._changed = threading.Condition()

    def wait(self, ticket: object, poll_seconds: float = 0.5) -> Iterator[int]:
        """Wait for the ticket's turn; yields how many are ahead until then.

        Raises:
            OverflowError: the queue is full; nothing was entered.
        """
        with self._changed:
            if len(self._line) >= self._slots + self._waiting:
                raise OverflowError(f"{self._waiting} people are waiting already")
            self._line.append(ticket)
        while (ahead := self._ahead(ticket)) > 0:
            yield ahead
            with self._changed:
                self._changed.wait(poll_seconds)

    def leave(self, ticket: object) -> None:
        """Let the next one in; does nothing for a ticket that is not in the queue."""
        with self._changed:
            if ticket in self._line:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _ahead(self, ticket: object) -> int:
        with self._changed:
            return max(0, self._line.index(ticket) - self._slots + 1)
