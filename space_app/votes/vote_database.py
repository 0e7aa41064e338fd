"""Votes in SQLite: pair, choice, settings and a salted hash of the visitor; no text by default.

Where votes are also kept in a dataset, the database records what was sent there and what was read
from there. A visitor's deletion is stored as a hash and a moment, so that no earlier vote of theirs
is imported again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
CREATE TABLE IF NOT EXISTS deletions (
  visitor TEXT PRIMARY KEY,
  until REAL NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS sent_votes (round TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS known_files (path TEXT PRIMARY KEY);
"""
PURGE = """
DELETE FROM votes WHERE EXISTS (
  SELECT 1 FROM deletions WHERE deletions.visitor = votes.visitor AND votes.created <= until
)
"""
MOST = 5_000
"""Votes that are sent at once."""


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


class Deletion(NamedTuple):
    """A visitor's hash; their votes up to ``until`` (seconds since the epoch) are deleted."""

    visitor: str
    until: float


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Votes and deletions that are sent or read together."""

    votes: tuple[Vote, ...] = ()
    deletions: tuple[Deletion, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.votes or self.deletions)


class VoteDatabase:
    """One SQLite file; every call is one transaction and safe from several threads.

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
        """Store a vote; False where its round has a vote already."""
        with self._transaction() as connection:
            return _insert(connection, vote)

    def votes(self, *, visitor: str | None = None, since: float = 0.0) -> list[Vote]:
        """Votes in the order they were given; all of them, or one visitor's."""
        query = "SELECT * FROM votes WHERE created >= ?"
        values: tuple[Any, ...] = (since,)
        if visitor is not None:
            query, values = query + " AND visitor = ?", (since, visitor)
        with self._transaction() as connection:
            rows = connection.execute(query + " ORDER BY created, round", values).fetchall()
        return [_vote(row) for row in rows]

    def decisive(self) -> list[tuple[str, str, int]]:
        """Counted votes for one of two models: the winner, the loser, and how many."""
        query = """
        SELECT CASE choice WHEN 'left' THEN left_model ELSE right_model END AS won,
               CASE choice WHEN 'left' THEN right_model ELSE left_model END AS lost,
               COUNT(*)
        FROM votes WHERE uncounted IS NULL AND choice IN ('left', 'right') GROUP BY won, lost
        """
        with self._transaction() as connection:
            return connection.execute(query).fetchall()

    def delete_votes(self, visitor: str, until: float) -> int:
        """Delete a visitor's votes up to a moment; gives how many those were."""
        with self._transaction() as connection:
            _note_deletion(connection, Deletion(visitor, until))
            return connection.execute(PURGE).rowcount

    def unsent(self) -> Batch:
        """What has not been sent to the dataset yet, the oldest votes first."""
        with self._transaction() as connection:
            votes = connection.execute(
                "SELECT * FROM votes WHERE round NOT IN (SELECT round FROM sent_votes)"
                " ORDER BY created, round LIMIT ?",
                (MOST,),
            ).fetchall()
            deletions = connection.execute(
                "SELECT visitor, until FROM deletions WHERE NOT sent ORDER BY visitor"
            ).fetchall()
        return Batch(
            votes=tuple(map(_vote, votes)), deletions=tuple(map(Deletion._make, deletions))
        )

    def import_batch(self, batch: Batch, files: Iterable[str]) -> None:
        """Store what these files of the dataset hold, without votes that were deleted."""
        with self._transaction() as connection:
            for deletion in batch.deletions:
                _note_deletion(connection, deletion)
            for vote in batch.votes:
                _insert(connection, vote)
            connection.execute(PURGE)
            _mark_sent(connection, batch, files)

    def sent(self, batch: Batch, files: Iterable[str]) -> None:
        """Note that the dataset has a batch, in these files."""
        with self._transaction() as connection:
            _mark_sent(connection, batch, files)

    def known_files(self) -> set[str]:
        """Files of the dataset that were written from here or imported."""
        with self._transaction() as connection:
            return {path for (path,) in connection.execute("SELECT path FROM known_files")}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connection:
            yield self._connection


def _insert(connection: sqlite3.Connection, vote: Vote) -> bool:
    row = (
        vote.round, vote.created, vote.visitor, vote.left, vote.right, vote.choice,
        json.dumps(dict(vote.settings), sort_keys=True), vote.uncounted,
        None if vote.conversation is None else json.dumps(vote.conversation),
    )  # fmt: skip
    done = connection.execute("INSERT OR IGNORE INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return done.rowcount == 1


def _note_deletion(connection: sqlite3.Connection, deletion: Deletion) -> None:
    """Store the latest moment; an earlier one that is read later changes nothing."""
    connection.execute(
        "INSERT INTO deletions (visitor, until) VALUES (?, ?) ON CONFLICT (visitor)"
        " DO UPDATE SET until = excluded.until, sent = 0 WHERE excluded.until > until",
        deletion,
    )


def _mark_sent(connection: sqlite3.Connection, batch: Batch, files: Iterable[str]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO sent_votes VALUES (?)", [(vote.round,) for vote in batch.votes]
    )
    connection.executemany(
        "UPDATE deletions SET sent = 1 WHERE visitor = ? AND until = ?", batch.deletions
    )
    connection.executemany(
        "INSERT OR IGNORE INTO known_files VALUES (?)", [(path,) for path in files]
    )


def _vote(row: tuple[Any, ...]) -> Vote:
    (round_, created, visitor, left, right, choice, settings, uncounted, conversation) = row
    return Vote(
        round=round_, created=created, visitor=visitor, left=left, right=right, choice=choice,
        settings=json.loads(settings), uncounted=uncounted,
        conversation=None if conversation is None else json.loads(conversation),
    )  # fmt: skip
