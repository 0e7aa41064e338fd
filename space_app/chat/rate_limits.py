"""How much one visitor may ask for, and a fair queue in front of the engines."""

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
    """Per visitor: answers running at once, per minute and per hour; and sizes."""

    running: int = 1
    per_minute: int = 6
    per_hour: int = 60
    prompt: int = 2_560
    turns: int = 50
    slots: int = 2
    waiting: int = 20


class Throttle:
    """Counts what each visitor asked for in the last hour."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)
        self._running: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    @contextmanager
    def admit(self, visitor: str) -> Iterator[str | None]:
        """Enter with None, or with the reason why not and how long to wait."""
        reason = self._enter(visitor)
        try:
            yield reason
        finally:
            if reason is None:
                with self._lock:
                    self._running[visitor] -= 1

    def _enter(self, visitor: str) -> str | None:
        with self._lock:
            moment = self._clock()
            self._forget_before(moment - 3600)
            asked = self._asked[visitor]
            if self._running[visitor] >= self._limits.running:
                return "One answer at a time: stop the one that is being written, or wait for it."
            minute = [at for at in asked if at > moment - 60]
            for recent, most, span in (
                (minute, self._limits.per_minute, 60),
                (list(asked), self._limits.per_hour, 3600),
            ):
                if len(recent) >= most:
                    wait = int(recent[-most] + span - moment) + 1
                    return f"Too many questions: {most} per {_span(span)}. Try again in {wait} s."
            asked.append(moment)
            self._running[visitor] += 1
            return None

    def _forget_before(self, moment: float) -> None:
        """Drop what is too old to count, and visitors of whom nothing is left."""
        for visitor, asked in list(self._asked.items()):
            while asked and asked[0] <= moment:
                asked.popleft()
            if not asked and not self._running[visitor]:
                del self._asked[visitor], self._running[visitor]


def _span(seconds: int) -> str:
    return "minute" if seconds == 60 else "hour"


class RequestQueue:
    """First come, first served; whoever waits is told how many are ahead."""

    def __init__(self, slots: int, waiting: int) -> None:
        self._slots = slots
        self._waiting = waiting
        self._line: list[object] = []
        self._changed = threading.Condition()

    def wait(self, ticket: object, patience: float = 0.5) -> Iterator[int]:
        """Stand in line; yields how many are ahead until it is the ticket's turn.

        Raises:
            OverflowError: the line is full; nothing was entered.
        """
        with self._changed:
            if len(self._line) >= self._slots + self._waiting:
                raise OverflowError(f"{self._waiting} people are waiting already")
            self._line.append(ticket)
        while (ahead := self._ahead(ticket)) > 0:
            yield ahead
            with self._changed:
                self._changed.wait(patience)

    def leave(self, ticket: object) -> None:
        """Make room for the next; does nothing for a ticket that is not in the line."""
        with self._changed:
            if ticket in self._line:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _ahead(self, ticket: object) -> int:
        with self._changed:
            return max(0, self._line.index(ticket) - self._slots + 1)
