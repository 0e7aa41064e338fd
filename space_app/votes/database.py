"""Votes in SQLite: pair, choice, settings and a salted hash of the visitor; no text by default."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Choice = Literal["left", "right", "tie", "both bad"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS votes (
  round TEXT PRIMARY KEY,
  created REAL NOT NULL,
  visitor TEXT NOT NULL,
  left_model TEXT NOT NULL,
  right_model TEXT NOT NULL,
  choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'tie', 'both bad')),
  settings TEXT NOT NULL,
  uncounted TEXT,
  conversation TEXT
);
CREATE INDEX IF NOT EXISTS votes_by_visitor ON votes (visitor, created);
"""


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One vote; models by their board keys.

    ``uncounted`` says why it stays out of every tally, None where it counts. ``conversation`` is
    kept only where the visitor shared it.
    """

    round: str
    created: float
    visitor: str
    left: str
    right: str
    choice: Choice
    settings: Mapping[str, Any]
    uncounted: str | None = None
    conversation: Any = None


class VoteDatabase:
    """One file; every call is one transaction, safe from several threads.

    Args:
        path: the SQLite file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._lock = threading.Lock()
        with self._transaction() as connection:
            connection.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)

    def add(self, vote: Vote) -> bool:
        """Keep a vote; False where its round has been voted on before."""
        row = (
            vote.round, vote.created, vote.visitor, vote.left, vote.right, vote.choice,
            json.dumps(dict(vote.settings), sort_keys=True), vote.uncounted,
            None if vote.conversation is None else json.dumps(vote.conversation),
        )  # fmt: skip
        with self._transaction() as connection:
            done = connection.execute(
                "INSERT OR IGNORE INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row
            )
            return done.rowcount == 1

    def votes(self, *, visitor: str | None = None, since: float = 0.0) -> list[Vote]:
        """Votes in the order they were given; all of them, or one visitor's."""
        query = "SELECT * FROM votes WHERE created >= ?"
        values: tuple[Any, ...] = (since,)
        if visitor is not None:
            query, values = query + " AND visitor = ?", (since, visitor)
        with self._transaction() as connection:
            rows = connection.execute(query + " ORDER BY created, round", values).fetchall()
        return [_vote(row) for row in rows]

    def forget(self, visitor: str) -> int:
        """Delete everything a visitor left; gives how many votes that were."""
        with self._transaction() as connection:
            done = connection.execute("DELETE FROM votes WHERE visitor = ?", (visitor,))
            return done.rowcount

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connection:
            yield self._connection


def _vote(row: tuple[Any, ...]) -> Vote:
    (round_, created, visitor, left, right, choice, settings, uncounted, conversation) = row
    return Vote(
        round=round_, created=created, visitor=visitor, left=left, right=right, choice=choice,
        settings=json.loads(settings), uncounted=uncounted,
        conversation=None if conversation is None else json.loads(conversation),
    )  # fmt: skip
