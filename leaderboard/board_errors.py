"""What can go wrong with results, explained in the same form as the rest of the program.

The exit codes agree with the command line's table: 16 for records, 10 for comparisons.
"""

from __future__ import annotations

from typing import ClassVar


class BoardError(Exception):
    """A failure with an explanation: what happened, where, and what to do next.

    Args:
        message: what failed and where.
        hint: the next step for the person who reads it.
    """

    exit_code: ClassVar[int] = 16

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RecordError(BoardError):
    """A record of an unknown version, of a broken form, or in conflict with one already kept."""


class IncomparableError(BoardError):
    """Two sets of scores that must not be compared: other items, other prompts, other coverage."""

    exit_code: ClassVar[int] = 10
