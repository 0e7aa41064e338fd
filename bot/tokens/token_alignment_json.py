"""Alignments as JSON: runs of rows instead of rows, so that a plain vocabulary is a few numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bot.tokens.token_alignment import MISSING, Alignment

Run = tuple[int, int, int]
"""Output row, source row, length: both sides count up together."""


def dump_alignment(alignment: Alignment) -> dict[str, Any]:
    """The alignment as JSON values."""
    copied = {row: rows[0] for row, rows in alignment.fills.items() if len(rows) == 1}
    keys = sorted({key for key, _ in copied.values()})
    return {
        "tokens": alignment.tokens,
        "rows": alignment.rows,
        "own": {
            key: list(_runs((row, at) for row, at in enumerate(rows) if at != MISSING))
            for key, rows in alignment.own.items()
        },
        "copied": {
            parent: list(_runs((row, at) for row, (key, at) in copied.items() if key == parent))
            for parent in keys
        },
        "mixed": [
            [row, [list(part) for part in rows]]
            for row, rows in alignment.fills.items()
            if len(rows) != 1
        ],
        "tensors": {name: dict(roles) for name, roles in alignment.tensors.items()},
    }


def _runs(pairs: Iterable[tuple[int, int]]) -> Iterator[Run]:
    start: tuple[int, int] | None = None
    length = 0
    for row, at in pairs:
        if start and (row, at) == (start[0] + length, start[1] + length):
            length += 1
            continue
        if start:
            yield (*start, length)
        start, length = (row, at), 1
    if start:
        yield (*start, length)
