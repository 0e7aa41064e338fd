"""One SQLite connection behind a lock: every change is a transaction or did not happen."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS repositories (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    visibility TEXT NOT NULL, gated TEXT NOT NULL, sdk TEXT, created_at TEXT NOT NULL,
    UNIQUE (type, namespace, name)
);
CREATE TABLE IF NOT EXISTS former_names (
    type TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    PRIMARY KEY (type, namespace, name)
);
CREATE TABLE IF NOT EXISTS grants (
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    user TEXT NOT NULL, PRIMARY KEY (repository, user)
);
CREATE TABLE IF NOT EXISTS trees (
    tree TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, oid TEXT NOT NULL,
    size INTEGER NOT NULL, lfs INTEGER NOT NULL, PRIMARY KEY (tree, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commits (
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    oid TEXT NOT NULL, tree TEXT NOT NULL, parent TEXT,
    title TEXT NOT NULL, message TEXT NOT NULL, author TEXT NOT NULL, date TEXT NOT NULL,
    PRIMARY KEY (repository, oid)
);
CREATE TABLE IF NOT EXISTS refs (
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    ref TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (repository, ref)
);
CREATE TABLE IF NOT EXISTS objects (
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (repository, sha256)
);
CREATE TABLE IF NOT EXISTS discussions (
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    num INTEGER NOT NULL, title TEXT NOT NULL, author TEXT NOT NULL, created_at TEXT NOT NULL,
    status TEXT NOT NULL, is_pull_request INTEGER NOT NULL,
    base_ref TEXT, base_commit TEXT, merge_commit TEXT, PRIMARY KEY (repository, num)
);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    num INTEGER NOT NULL, type TEXT NOT NULL, author TEXT NOT NULL, created_at TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS space_values (
    repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE CASCADE,
    shelf TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, description TEXT,
    updated_at TEXT NOT NULL, PRIMARY KEY (repository, shelf, key)
);
"""


class Database:
    """Serialises all access; nested transactions join the outer one."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside are committed together, or none when the block raises."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def execute(self, sql: str, *values: object) -> int:
        """Run one statement; returns the number of rows it changed."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def insert(self, sql: str, *values: object) -> int:
        """Run one INSERT; returns the new row's id."""
        with self._lock:
            return int(self._connection.execute(sql, values).lastrowid or 0)

    def insert_many(self, sql: str, rows: list[tuple[object, ...]]) -> None:
        with self._lock:
            self._connection.executemany(sql, rows)

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()
