"""Damaged documents of every kind end in an explained error or are read, and soon.

``make test`` runs 5,040 of them, ``make test-slow`` 201,040.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings

from bot.errors import MergebotError
from leaderboard.board_errors import BoardError
from tests.fuzz.targets import TARGETS

FEW, MANY = 720, 28_000
MOST_SECONDS = 2.0
"""Of processor time, for one document."""


def feed(kind: str, examples: int, check: Callable[[float], None]) -> None:
    read, documents = TARGETS[kind]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples == FEW,
        suppress_health_check=list(HealthCheck),
    )
    @given(documents)
    def each(data: bytes) -> None:
        started = time.process_time()
        with suppress(MergebotError, BoardError):
            read(data)
        check(time.process_time() - started)

    each()


@pytest.mark.parametrize("kind", TARGETS)
def test_damaged_documents_are_explained(kind: str) -> None:
    feed(kind, FEW, lambda seconds: None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_many_damaged_documents_are_explained_in_time(kind: str) -> None:
    slowest = 0.0

    def check(seconds: float) -> None:
        nonlocal slowest
        slowest = max(slowest, seconds)
        assert seconds < MOST_SECONDS

    feed(kind, MANY, check)
    print(f"{kind}: {MANY} documents, at most {slowest:.2f} s of processor time")
