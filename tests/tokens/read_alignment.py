"""Alignments read back from ``plan.json``, as a check that the runs in it lose no row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.tokens.token_alignment import MISSING, Alignment, Row


def load_alignment(value: Mapping[str, Any]) -> Alignment:
    """Read what ``dump_alignment`` wrote."""
    tokens = value["tokens"]
    fills: dict[int, tuple[Row, ...]] = {
        row: tuple((key, at) for key, at in parts) for row, parts in value["mixed"]
    }
    for donor, runs in value["copied"].items():
        fills.update({row: ((donor, at),) for row, at in _rows(runs)})
    own = {}
    for key, runs in value["own"].items():
        rows = [MISSING] * tokens
        for row, at in _rows(runs):
            rows[row] = at
        own[key] = tuple(rows)
    return Alignment(
        tokens=tokens,
        rows=value["rows"],
        own=own,
        fills=dict(sorted(fills.items())),
        tensors=value["tensors"],
    )


def _rows(runs: Iterable[Sequence[int]]) -> Iterator[tuple[int, int]]:
    for row, at, length in runs:
        for step in range(length):
            yield row + step, at + step
