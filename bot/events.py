"""What a stage reports while it works.

A reporter is passed down as a parameter and never looked up: a terminal draws bars from the
events, a log prints lines, ``--json`` writes them as JSON, and a test collects them in a list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Kind = Literal["start", "advance", "note", "end"]


class Event(NamedTuple):
    """One step of progress.

    ``unit`` names what ``done`` and ``total`` count ("bytes", "tensors", "requests"); ``done`` is
    the running total, not a difference, so a lost event does no harm. ``item`` is what is being
    worked on, or the text of a note.
    """

    stage: str
    kind: Kind
    unit: str = ""
    done: int = 0
    total: int | None = None
    item: str = ""


Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """Report nothing."""
    del event
