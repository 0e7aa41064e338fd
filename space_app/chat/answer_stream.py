"""One answer, or two side by side, as a stream of what the visitor sees so far."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from leaderboard.number_format import count_of
from space_app.chat.chat_backend import ChatBackend, Finish, Piece, Request

Clock = Callable[[], float]

ENDINGS: dict[Finish, str] = {
    "end": "",
    "length": "stopped: length",
    "repeating": "stopped: repeating",
    "stopped": "stopped",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer so far; ``seconds`` run from the request, ``finish`` is None while it is written.

    ``failure`` is the cause where it ended by an error.
    """

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    finish: Finish | None = None
    failure: str | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.finish is not None or self.failure is not None

    @property
    def votable(self) -> bool:
        """Whether it may be judged: it has text and did not fail."""
        return self.failure is None and bool(self.text.strip())

    @property
    def speed(self) -> float | None:
        """Tokens per second, None before the first token."""
        return self.tokens / self.seconds if self.seconds > 0 and self.tokens else None

    @property
    def stats(self) -> str:
        """``38 tok/s · 214 tokens · 5.6 s · stopped: length``."""
        if self.failure:
            return f"failed: {self.failure}"
        speed = f"{self.speed:.0f} tok/s" if self.speed else ""
        ending = ENDINGS[self.finish] if self.finish else "writing…"
        parts = [speed, count_of(self.tokens, "token"), f"{self.seconds:.1f} s", ending]
        return " · ".join(part for part in parts if part)


def answer(
    backend: ChatBackend, request: Request, stop: threading.Event, *, clock: Clock = time.monotonic
) -> Iterator[Answer]:
    """The growing answer; the last one has a finish or a failure. Never raises."""
    began = clock()
    current = Answer()
    try:
        for piece in backend.stream(request, stop):
            current = _longer(current, piece, clock() - began)
            yield current
    except Exception as failure:  # noqa: BLE001 - shown in place of the answer
        lines = str(failure).splitlines()
        yield replace(current, failure=lines[0] if lines else type(failure).__name__)


def _longer(current: Answer, piece: Piece, seconds: float) -> Answer:
    return Answer(
        text=current.text + piece.text,
        tokens=current.tokens + piece.tokens,
        seconds=seconds,
        finish=piece.finish,
    )


def answer_pair(
    backends: tuple[ChatBackend, ChatBackend],
    requests: tuple[Request, Request],
    stops: tuple[threading.Event, threading.Event],
    *,
    lockstep: bool = False,
    clock: Clock = time.monotonic,
) -> Iterator[tuple[Answer, Answer]]:
    """Two answers at once.

    With ``lockstep`` neither side shows more tokens than the other has while both are written, so
    that the speed does not identify the models.
    """
    arrivals: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()

    def run(side: int) -> None:
        for current in answer(backends[side], requests[side], stops[side], clock=clock):
            arrivals.put((side, current))

    for side in (0, 1):
        threading.Thread(target=run, args=(side,), name=f"answer-{side}", daemon=True).start()
    histories: tuple[list[Answer], list[Answer]] = ([Answer()], [Answer()])
    while not (histories[0][-1].done and histories[1][-1].done):
        side, current = arrivals.get()
        histories[side].append(current)
        yield _even(histories) if lockstep else (histories[0][-1], histories[1][-1])
    if lockstep:
        yield histories[0][-1], histories[1][-1]


def _even(histories: tuple[list[Answer], list[Answer]]) -> tuple[Answer, Answer]:
    """Both answers at the length of the shorter one, while both are being written."""
    left, right = histories[0][-1], histories[1][-1]
    if left.done or right.done:
        return left, right
    reach = min(left.tokens, right.tokens)
    return _at(histories[0], reach), _at(histories[1], reach)


def _at(history: list[Answer], tokens: int) -> Answer:
    return next(current for current in reversed(history) if current.tokens <= tokens)
