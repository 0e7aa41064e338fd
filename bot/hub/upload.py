"""What goes into a repository, and where it is once it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd

from leaderboard.render.escape import terminal


@dataclass(frozen=True, kw_only=True)
class Upload:
    """What is published: a run's files by their path in the repository, from disk or memory."""

    name: str
    run_key: str
    merge_key: str
    files: Mapping[str, Path | bytes]

    @property
    def summary(self) -> str:
        """The first line of the commit's message; also the title of a pull request."""
        return f"Publish {terminal(self.name)} (run {self.run_key[:16]})"

    @property
    def description(self) -> str:
        """The rest of it, with the keys a later publish looks for."""
        return f"Run-Key: {self.run_key}\nMerge-Key: {self.merge_key}"

    def operations(self) -> list[CommitOperationAdd]:
        """The files as the client takes them, in the order of their paths."""
        return [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
            for path, content in sorted(self.files.items())
        ]


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where a bundle is. ``fresh`` is False when it was there already."""

    repo: str
    commit: str
    url: str
    fresh: bool
    pull_request: str | None = None
