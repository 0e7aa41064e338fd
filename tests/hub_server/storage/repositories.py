"""Repositories as named things: created, found, listed, renamed, hidden, deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.hub_server.names import RepoName, RepoType
from tests.hub_server.storage.database import Database


def now() -> str:
    """The present in the Hub's notation; microseconds keep the order of quick successions."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class Repo:
    key: int
    name: RepoName
    visibility: str
    gated: str
    sdk: str | None
    created_at: str

    @property
    def private(self) -> bool:
        return self.visibility == "private"

    @property
    def is_gated(self) -> bool:
        return self.gated != ""


def _repo(row: sqlite3.Row) -> Repo:
    name = RepoName(type=RepoType(row["type"]), namespace=row["namespace"], name=row["name"])
    return Repo(
        key=row["id"],
        name=name,
        visibility=row["visibility"],
        gated=row["gated"],
        sdk=row["sdk"],
        created_at=row["created_at"],
    )


class Repositories:
    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, name: RepoName, *, visibility: str, sdk: str | None) -> Repo | None:
        """The new repository, or None when the name is taken."""
        with self._db.transaction():
            if self.find(name) is not None:
                return None
            self._db.execute(
                "DELETE FROM former_names WHERE type = ? AND namespace = ? AND name = ?",
                *_key(name),
            )
            self._db.insert(
                "INSERT INTO repositories (type, namespace, name, visibility, gated, sdk,"
                " created_at) VALUES (?, ?, ?, ?, '', ?, ?)",
                *_key(name),
                visibility,
                sdk,
                now(),
            )
            return self.find(name)

    def find(self, name: RepoName) -> Repo | None:
        row = self._db.row(
            "SELECT * FROM repositories WHERE type = ? AND namespace = ? AND name = ?", *_key(name)
        )
        return _repo(row) if row else None

    def find_moved(self, name: RepoName) -> Repo | None:
        """The repository that had this name before it was moved."""
        row = self._db.row(
            "SELECT r.* FROM repositories r JOIN former_names f ON f.repository = r.id"
            " WHERE f.type = ? AND f.namespace = ? AND f.name = ?",
            *_key(name),
        )
        return _repo(row) if row else None

    def all(self, kind: RepoType) -> list[Repo]:
        rows = self._db.rows("SELECT * FROM repositories WHERE type = ? ORDER BY id DESC", kind)
        return [_repo(row) for row in rows]

    def delete(self, repo: Repo) -> None:
        self._db.execute("DELETE FROM repositories WHERE id = ?", repo.key)

    def move(self, repo: Repo, target: RepoName) -> bool:
        """Rename, leaving a forwarding address; False when the target name is taken."""
        with self._db.transaction():
            if self.find(target) is not None:
                return False
            self._db.execute(
                "UPDATE repositories SET namespace = ?, name = ? WHERE id = ?",
                target.namespace,
                target.name,
                repo.key,
            )
            self._db.execute(
                "INSERT OR REPLACE INTO former_names VALUES (?, ?, ?, ?)",
                *_key(repo.name),
                repo.key,
            )
            return True

    def update(self, repo: Repo, *, visibility: str | None, gated: str | None) -> None:
        self._db.execute(
            "UPDATE repositories SET visibility = ?, gated = ? WHERE id = ?",
            repo.visibility if visibility is None else visibility,
            repo.gated if gated is None else gated,
            repo.key,
        )

    def grant(self, repo: Repo, user: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO grants VALUES (?, ?)", repo.key, user)

    def revoke(self, repo: Repo, user: str) -> None:
        self._db.execute("DELETE FROM grants WHERE repository = ? AND user = ?", repo.key, user)

    def is_granted(self, repo: Repo, user: str) -> bool:
        sql = "SELECT 1 FROM grants WHERE repository = ? AND user = ?"
        return self._db.row(sql, repo.key, user) is not None

    def own_object(self, key: int, sha256: str, size: int) -> None:
        """Record that the repository with this key may commit the LFS object."""
        self._db.execute("INSERT OR IGNORE INTO objects VALUES (?, ?, ?)", key, sha256, size)

    def object_size(self, repo: Repo, sha256: str) -> int | None:
        """Size in bytes of an LFS object the repository owns, None when it does not."""
        sql = "SELECT size FROM objects WHERE repository = ? AND sha256 = ?"
        row = self._db.row(sql, repo.key, sha256)
        return int(row["size"]) if row else None


def _key(name: RepoName) -> tuple[str, str, str]:
    return name.type.value, name.namespace, name.name
