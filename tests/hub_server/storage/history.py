"""Commits, trees and refs: git's model without git's formats."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.hub_server.storage.database import Database
from tests.hub_server.storage.repositories import Repo, now

_ABBREVIATED = re.compile(r"[0-9a-f]{5,40}")
MAIN = "refs/heads/main"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of a tree; `oid` is git's sha1 of the blob, or of the pointer for LFS."""

    path: str
    sha256: str
    oid: str
    size: int
    lfs: bool


Tree = Mapping[str, Entry]


@dataclass(frozen=True, kw_only=True)
class Commit:
    oid: str
    tree: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str


def _commit(row: sqlite3.Row) -> Commit:
    return Commit(**{name: row[name] for name in Commit.__dataclass_fields__})


class History:
    def __init__(self, database: Database) -> None:
        self._db = database

    def tree(self, commit: Commit) -> dict[str, Entry]:
        """Path to entry, sorted by path."""
        rows = self._db.rows("SELECT * FROM trees WHERE tree = ? ORDER BY path", commit.tree)
        return {
            row["path"]: Entry(
                path=row["path"],
                sha256=row["sha256"],
                oid=row["oid"],
                size=row["size"],
                lfs=bool(row["lfs"]),
            )
            for row in rows
        }

    def commit(self, repo: Repo, oid: str) -> Commit | None:
        sql = "SELECT * FROM commits WHERE repository = ? AND oid = ?"
        row = self._db.row(sql, repo.key, oid)
        return _commit(row) if row else None

    def record(
        self,
        repo: Repo,
        tree: Tree,
        *,
        ref: str,
        parent: str | None,
        title: str,
        message: str,
        author: str,
    ) -> Commit:
        """Add a commit and move `ref` to it, in one transaction."""
        tree_id = _tree_id(tree)
        commit = Commit(
            oid=hashlib.sha1(f"{tree_id}{parent}{uuid.uuid4()}".encode()).hexdigest(),
            tree=tree_id,
            parent=parent,
            title=title,
            message=message,
            author=author,
            date=now(),
        )
        rows: list[tuple[object, ...]] = [
            (tree_id, entry.path, entry.sha256, entry.oid, entry.size, int(entry.lfs))
            for entry in tree.values()
        ]
        with self._db.transaction():
            self._db.insert_many("INSERT OR IGNORE INTO trees VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._db.execute(
                "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                repo.key,
                commit.oid,
                commit.tree,
                commit.parent,
                commit.title,
                commit.message,
                commit.author,
                commit.date,
            )
            self.set_ref(repo, ref, commit.oid)
        return commit

    def log(self, repo: Repo, head: Commit) -> Iterator[Commit]:
        """`head` and its ancestors, newest first."""
        commit: Commit | None = head
        while commit is not None:
            yield commit
            commit = self.commit(repo, commit.parent) if commit.parent else None

    def refs(self, repo: Repo, prefix: str) -> dict[str, str]:
        """Full ref name to commit, for the refs below `prefix`."""
        rows = self._db.rows(
            "SELECT ref, target FROM refs WHERE repository = ? AND substr(ref, 1, ?) = ?"
            " ORDER BY ref",
            repo.key,
            len(prefix),
            prefix,
        )
        return {row["ref"]: row["target"] for row in rows}

    def ref(self, repo: Repo, ref: str) -> str | None:
        sql = "SELECT target FROM refs WHERE repository = ? AND ref = ?"
        row = self._db.row(sql, repo.key, ref)
        return str(row["target"]) if row else None

    def set_ref(self, repo: Repo, ref: str, target: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO refs VALUES (?, ?, ?)", repo.key, ref, target)

    def delete_ref(self, repo: Repo, ref: str) -> bool:
        sql = "DELETE FROM refs WHERE repository = ? AND ref = ?"
        return self._db.execute(sql, repo.key, ref) > 0

    def branch_ref(self, repo: Repo, revision: str) -> str | None:
        """The movable ref a revision names: a branch or a pull request; None otherwise."""
        for ref in (revision, f"refs/heads/{revision}"):
            if not ref.startswith("refs/tags/") and self.ref(repo, ref) is not None:
                return ref
        return None

    def resolve(self, repo: Repo, revision: str) -> Commit | None:
        """The commit a branch, tag, full ref or (abbreviated) commit id stands for."""
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            target = self.ref(repo, ref)
            if target is not None:
                return self.commit(repo, target)
        if not _ABBREVIATED.fullmatch(revision):
            return None
        rows = self._db.rows(
            "SELECT * FROM commits WHERE repository = ? AND oid LIKE ? LIMIT 2",
            repo.key,
            f"{revision}%",
        )
        return _commit(rows[0]) if len(rows) == 1 else None


def _tree_id(tree: Tree) -> str:
    digest = hashlib.sha1()
    for path in sorted(tree):
        entry = tree[path]
        digest.update(f"{path}\0{entry.oid}\0{entry.sha256}\0{entry.lfs}\n".encode())
    return digest.hexdigest()
