"""What a Space keeps besides its files: secrets, variables and its runtime."""

from __future__ import annotations

from tests.hub_server.storage.database import Database
from tests.hub_server.storage.repositories import Repo, now


class SpaceValues:
    """Key-value shelves (`secrets`, `variables`, `runtime`) of each Space."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(
        self, repo: Repo, shelf: str, key: str, value: str, description: str | None = None
    ) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO space_values VALUES (?, ?, ?, ?, ?, ?)",
            repo.key,
            shelf,
            key,
            value,
            description,
            now(),
        )

    def drop(self, repo: Repo, shelf: str, key: str) -> None:
        sql = "DELETE FROM space_values WHERE repository = ? AND shelf = ? AND key = ?"
        self._db.execute(sql, repo.key, shelf, key)

    def all(self, repo: Repo, shelf: str) -> dict[str, dict[str, str | None]]:
        sql = "SELECT * FROM space_values WHERE repository = ? AND shelf = ? ORDER BY key"
        return {
            row["key"]: {
                "value": row["value"],
                "description": row["description"],
                "updatedAt": row["updated_at"],
            }
            for row in self._db.rows(sql, repo.key, shelf)
        }
