"""Discussions and pull requests: numbered threads of events."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from tests.hub_server.storage.database import Database
from tests.hub_server.storage.repositories import Repo, now


@dataclass(frozen=True, kw_only=True)
class Discussion:
    num: int
    title: str
    author: str
    created_at: str
    status: str
    is_pull_request: bool
    base_ref: str | None
    base_commit: str | None
    merge_commit: str | None

    @property
    def ref(self) -> str:
        """The branch that holds a pull request's commits."""
        return f"refs/pr/{self.num}"


@dataclass(frozen=True, kw_only=True)
class Event:
    id: int
    type: str
    author: str
    created_at: str
    data: dict[str, object]

    def wire(self) -> dict[str, object]:
        return {
            "id": f"{self.id:024x}",
            "type": self.type,
            "author": {"name": self.author},
            "createdAt": self.created_at,
            "data": self.data,
        }


def _discussion(row: sqlite3.Row) -> Discussion:
    values = {name: row[name] for name in Discussion.__dataclass_fields__}
    return Discussion(**{**values, "is_pull_request": bool(row["is_pull_request"])})


class Discussions:
    def __init__(self, database: Database) -> None:
        self._db = database

    def open(
        self,
        repo: Repo,
        *,
        title: str,
        description: str,
        author: str,
        status: str,
        base: tuple[str, str] | None,
    ) -> Discussion:
        """Start a thread; `base` is (ref, commit) for a pull request, None for a discussion."""
        base_ref, base_commit = base if base is not None else (None, None)
        with self._db.transaction():
            num = len(self.all(repo)) + 1
            self._db.execute(
                "INSERT INTO discussions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                repo.key,
                num,
                title,
                author,
                now(),
                status,
                int(base is not None),
                base_ref,
                base_commit,
            )
            self.comment(repo, num, author=author, text=description)
            found = self.find(repo, num)
        assert found is not None
        return found

    def find(self, repo: Repo, num: int) -> Discussion | None:
        sql = "SELECT * FROM discussions WHERE repository = ? AND num = ?"
        row = self._db.row(sql, repo.key, num)
        return _discussion(row) if row else None

    def all(self, repo: Repo) -> list[Discussion]:
        """All threads of a repository, newest first."""
        sql = "SELECT * FROM discussions WHERE repository = ? ORDER BY num DESC"
        return [_discussion(row) for row in self._db.rows(sql, repo.key)]

    def events(self, repo: Repo, num: int) -> list[Event]:
        sql = "SELECT * FROM events WHERE repository = ? AND num = ? ORDER BY id"
        return [
            Event(
                id=row["id"],
                type=row["type"],
                author=row["author"],
                created_at=row["created_at"],
                data=json.loads(row["data"]),
            )
            for row in self._db.rows(sql, repo.key, num)
        ]

    def add_event(
        self, repo: Repo, num: int, *, kind: str, author: str, data: dict[str, object]
    ) -> Event:
        created = now()
        key = self._db.insert(
            "INSERT INTO events (repository, num, type, author, created_at, data)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            repo.key,
            num,
            kind,
            author,
            created,
            json.dumps(data),
        )
        return Event(id=key, type=kind, author=author, created_at=created, data=data)

    def comment(self, repo: Repo, num: int, *, author: str, text: str) -> Event:
        data: dict[str, object] = {"edited": False, "hidden": False, "latest": {"raw": text}}
        return self.add_event(repo, num, kind="comment", author=author, data=data)

    def set_status(self, repo: Repo, num: int, *, author: str, status: str) -> Event:
        with self._db.transaction():
            self._db.execute(
                "UPDATE discussions SET status = ? WHERE repository = ? AND num = ?",
                status,
                repo.key,
                num,
            )
            data: dict[str, object] = {"status": status}
            return self.add_event(repo, num, kind="status-change", author=author, data=data)

    def rename(self, repo: Repo, discussion: Discussion, *, author: str, title: str) -> Event:
        with self._db.transaction():
            self._db.execute(
                "UPDATE discussions SET title = ? WHERE repository = ? AND num = ?",
                title,
                repo.key,
                discussion.num,
            )
            data: dict[str, object] = {"from": discussion.title, "to": title}
            return self.add_event(
                repo, discussion.num, kind="title-change", author=author, data=data
            )

    def set_merged(self, repo: Repo, num: int, *, author: str, commit: str) -> None:
        with self._db.transaction():
            self._db.execute(
                "UPDATE discussions SET merge_commit = ? WHERE repository = ? AND num = ?",
                commit,
                repo.key,
                num,
            )
            self.set_status(repo, num, author=author, status="merged")
