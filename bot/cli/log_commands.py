"""A text stream in which no line is a command of a CI runner.

GitHub's runner reads the log of a step: a line that begins with ``::``, white space aside, is a
command (``::add-mask::``, ``::set-output``), and so is ``##[`` anywhere in a line. Paths, names
of files and messages come from recipes and checkpoints and may hold line breaks.
"""

from __future__ import annotations

import re
from typing import IO, Any

_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_CONTINUED = re.compile(r"\A([^\S\n]*):(?=:)")
_LEGACY = "##["


class WithoutLogCommands:
    """A stream that spells the first character of a command as JSON escapes it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._at_start = True

    def write(self, text: str) -> int:
        """Write the text with commands of a CI runner spelled out."""
        inert = inert_lines(text, at_start=self._at_start)
        if text:
            self._at_start = not text.rpartition("\n")[2].strip() and (
                "\n" in text or self._at_start
            )
        self._stream.write(inert)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def inert_lines(text: str, *, at_start: bool = True) -> str:
    """The text with commands of a CI runner spelled out; JSON stays the same JSON.

    Args:
        text: one or more lines.
        at_start: whether the text begins a line.
    """
    head = "" if at_start or not _CONTINUED.match(text) else text[: text.index(":") + 1]
    rest = _COMMAND.sub(r"\1\\u003a", text[len(head) :])
    return (head + rest).replace(_LEGACY, r"##\u005b")
