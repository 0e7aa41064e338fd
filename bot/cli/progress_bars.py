"""Shows progress events: bars on a terminal, one line per stage elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from bot.events import Event
from bot.format_units import format_bytes, format_seconds

if TYPE_CHECKING:
    from rich.progress import TaskID

HEARTBEAT = 60.0
"""Seconds between two lines of one stage where there is no terminal."""


class Progress(Protocol):
    """Something that shows events until it is closed."""

    def report(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Stop showing."""
        ...


class PlainProgress:
    """A line when a stage starts, one when it ends, a heartbeat between; no control codes."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._started: dict[str, float] = {}
        self._spoken: dict[str, float] = {}

    def report(self, event: Event) -> None:
        """Print a line for starts, ends, notes and, once a minute, progress."""
        now = self._clock()
        if event.kind == "start":
            self._started[event.stage] = self._spoken[event.stage] = now
            self._say(event.stage, event.item or "started")
        elif event.kind == "end":
            seconds = now - self._started.get(event.stage, now)
            self._say(
                event.stage, " ".join(filter(None, ["done", format_seconds(seconds), event.item]))
            )
        elif event.kind == "note":
            self._say(event.stage, event.item)
        elif now - self._spoken.get(event.stage, now) >= HEARTBEAT:
            self._spoken[event.stage] = now
            self._say(event.stage, progress_text(event, now - self._started[event.stage]))

    def close(self) -> None:
        """Do nothing: no bar is shown."""

    def _say(self, stage: str, text: str) -> None:
        self._console.print(f"{stage:<9} {text}", markup=False)


class TerminalProgress:
    """A bar with rate and time left for each running stage, a line with its time at the end."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._console = console
        self._clock = clock
        self._started: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        self._rich = RichProgress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[text]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._rich.start()

    def report(self, event: Event) -> None:
        """Move, add or finish a bar."""
        now = self._clock()
        if event.kind == "start":
            self._started[event.stage] = now
            self._remove(event.stage)
            self._bars[event.stage] = self._rich.add_task(
                event.stage, total=event.total, text=event.item
            )
        elif event.kind == "advance" and event.stage in self._bars:
            elapsed = now - self._started[event.stage]
            self._rich.update(
                self._bars[event.stage],
                completed=event.done,
                total=event.total,
                text=_counts(event, elapsed),
            )
        elif event.kind == "note":
            self._console.print(f"· {event.stage:<9} {event.item}", markup=False)
        elif event.kind == "end":
            self._remove(event.stage)
            seconds = format_seconds(now - self._started.get(event.stage, now))
            self._console.print(f"✔ {event.stage:<9} {seconds:>7}  {event.item}", markup=False)

    def close(self) -> None:
        """Remove the bars."""
        self._rich.stop()

    def _remove(self, stage: str) -> None:
        if stage in self._bars:
            self._rich.remove_task(self._bars.pop(stage))


def progress_text(event: Event, elapsed: float) -> str:
    """``61 % 178/291 tensors, 1.1 GB/s, 1m20s left``, as far as the event knows it."""
    parts = [_counts(event, elapsed)]
    if event.total:
        parts.insert(0, f"{100 * event.done / event.total:.0f} %")
        if event.done and elapsed > 0:
            left = elapsed * (event.total - event.done) / event.done
            parts.append(f"{format_seconds(left)} left")
    return ", ".join(parts)


def _counts(event: Event, elapsed: float) -> str:
    if event.unit == "bytes":
        rate = f" {format_bytes(event.done / elapsed)}/s" if elapsed > 0 else ""
        return f"{format_bytes(event.done)}{rate}"
    total = f"/{event.total}" if event.total is not None else ""
    return f"{event.done}{total} {event.unit}".rstrip()
