"""Which numbered checks of the board's specification a test stands for.

LB: leaderboard, MP: model page, CP: compare, CH: chat, SB: submit, BV: blind vote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

CHECKS = {
    **{f"LB{n}": n for n in range(1, 13)},
    **{f"MP{n}": n for n in range(1, 8)},
    **{f"CP{n}": n for n in range(1, 7)},
    **{f"CH{n}": n for n in range(1, 11)},
    **{f"SB{n}": n for n in range(1, 8)},
    **{f"BV{n}": n for n in range(1, 9)},
}


def covers(*checks: str) -> Callable[[F], F]:
    """Mark a test as standing for checks; a misspelt one fails at import."""
    unknown = [check for check in checks if check not in CHECKS]
    assert not unknown, unknown

    def mark(test: F) -> F:
        return test

    return mark
