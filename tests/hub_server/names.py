"""Repository types and ids, and how they appear in URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tests.hub_server.errors import bad_request

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


class RepoType(StrEnum):
    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"

    @property
    def plural(self) -> str:
        """As in `/api/models/...`."""
        return f"{self.value}s"

    @property
    def url_prefix(self) -> str:
        """As in `/datasets/org/name`; models live at the root."""
        return "" if self is RepoType.MODEL else f"{self.value}s/"

    @classmethod
    def of_plural(cls, plural: str) -> RepoType | None:
        return next((kind for kind in cls if kind.plural == plural), None)


@dataclass(frozen=True, kw_only=True)
class RepoName:
    type: RepoType
    namespace: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def url_path(self) -> str:
        return f"{self.type.url_prefix}{self.id}"

    @classmethod
    def parse(cls, kind: RepoType, repo_id: str) -> RepoName:
        """Split `namespace/name`.

        Raises:
            HubError: 400 when the id does not follow the Hub's rules.
        """
        namespace, _, name = repo_id.partition("/")
        for part in (namespace, name):
            if not _NAME.fullmatch(part) or "--" in part or ".." in part:
                raise bad_request(f"Invalid repository id {repo_id!r}: expected namespace/name")
        return cls(type=kind, namespace=namespace, name=name)
