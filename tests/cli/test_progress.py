"""Progress as lines, with a clock that is told the time."""

from __future__ import annotations

import io

from rich.console import Console

from bot.cli.progress_bars import PlainProgress, TerminalProgress, progress_text
from bot.events import Event


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_is_two_lines_and_a_heartbeat_a_minute() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(Console(file=stream, width=200), clock)
    progress.report(Event("merge", "start", "bytes", 0, 1000))
    for clock.now in (10.0, 59.0, 61.0, 70.0, 122.0):
        done = int(clock.now * 5)
        progress.report(Event("merge", "advance", "bytes", done, 1000, "lm_head.weight"))
    clock.now = 200.0
    progress.report(Event("merge", "end", "bytes", 1000, 1000, "39 tensors"))
    assert stream.getvalue().splitlines() == [
        "merge     started",
        "merge     30 %, 305 B 5 B/s, 2m19s left",
        "merge     61 %, 610 B 5 B/s, 1m18s left",
        "merge     done 3m20s 39 tensors",
    ]


def test_time_left_is_what_the_pace_so_far_gives() -> None:
    event = Event("evaluate", "advance", "items", 178, 291)
    assert progress_text(event, 60.0) == "61 %, 178/291 items, 38s left"


def test_a_terminal_keeps_one_line_per_finished_stage() -> None:
    stream, clock = io.StringIO(), Clock()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    progress = TerminalProgress(console, clock)
    progress.report(Event("check", "start", "bytes", 0, 10))
    progress.report(Event("check", "advance", "bytes", 5, 10))
    clock.now = 1.5
    progress.report(Event("check", "end", item="all good"))
    progress.close()
    assert "✔ check        1.5s  all good" in stream.getvalue()


def test_a_stage_may_be_of_anything() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    progress = TerminalProgress(console, Clock())
    progress.report(Event("merge", "start", "bytes", 0, 10, "[/model] [bold]x"))
    progress.close()
    assert "[/model] [bold]x" in stream.getvalue()
