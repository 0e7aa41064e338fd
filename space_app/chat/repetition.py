"""When an answer has gone on for long enough: loops."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

LONGEST_UNIT = 64
REPEATS = 4
LEAST_TOKENS = 24
"""A short unit must fill this much before it counts: "ha ha ha ha" is an answer."""


def is_looping(tokens: Sequence[Hashable]) -> bool:
    """Whether the tail is one unit of at most 64 tokens four times over.

    Looks at the last 256 tokens only, so that asking after every token stays cheap.
    """
    tail = tokens[-LONGEST_UNIT * REPEATS :]
    for unit in range(1, len(tail) // REPEATS + 1):
        length = unit * max(REPEATS, -(-LEAST_TOKENS // unit))
        if length > len(tail):
            continue
        end = tail[-length:]
        if all(end[at] == end[at - unit] for at in range(unit, length)):
            return True
    return False
