"""The cause of a crash, found in what a process wrote to its error stream."""

from __future__ import annotations

import re

_TRACEBACK = "Traceback (most recent call last):"
_PROGRESS_BAR = re.compile(r"\d+%\||\b(?:it|s|B)/(?:s|it)\]|\d+(?:it|B)? \[\d\d:\d\d")
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:: |$)")
_MOST_CHARACTERS = 2000


def crash_cause(text: str) -> str:
    """The exception of the last traceback, or else the last line that is no progress bar.

    A progress bar is closed after the traceback was printed, and its text often stands in the line
    in which the traceback begins, so neither the last line nor the last block is the cause.

    Args:
        text: the whole error stream.
    """
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    starts = [number for number, line in enumerate(lines) if _TRACEBACK in line]
    if starts:
        after = lines[starts[-1] + 1 :]
        for number, line in enumerate(after):
            if _EXCEPTION.match(line) and not _PROGRESS_BAR.search(line):
                message = [line, *_continued(after[number + 1 :])]
                return "\n".join(message).strip()[:_MOST_CHARACTERS]
    said = (line.strip() for line in reversed(lines) if not _PROGRESS_BAR.search(line))
    return next((line for line in said if line), "it wrote nothing")[:_MOST_CHARACTERS]


def _continued(lines: list[str]) -> list[str]:
    """The further lines of an exception's message, up to the next thing that is printed."""
    found: list[str] = []
    for line in lines:
        if not line or _PROGRESS_BAR.search(line):
            break
        found.append(line)
    return found[:10]
