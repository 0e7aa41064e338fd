"""What a pull request changes, where it collides, and how it is merged."""

from __future__ import annotations

import difflib

from tests.hub_server import errors
from tests.hub_server.hub import Hub
from tests.hub_server.storage.discussions import Discussion
from tests.hub_server.storage.history import Commit, Entry
from tests.hub_server.storage.repositories import Repo

_DIFF_LIMIT = 100_000


def _tree(hub: Hub, repo: Repo, revision: str | None) -> dict[str, Entry]:
    commit = hub.history.resolve(repo, revision) if revision is not None else None
    return hub.history.tree(commit) if commit is not None else {}


def _changed(old: dict[str, Entry], new: dict[str, Entry]) -> list[str]:
    return [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]


def conflicts(hub: Hub, repo: Repo, thread: Discussion) -> list[str]:
    """Paths that the pull request and its target branch changed in different ways."""
    base = _tree(hub, repo, thread.base_commit)
    ours = _tree(hub, repo, thread.base_ref)
    theirs = _tree(hub, repo, thread.ref)
    if thread.merge_commit is not None:
        return []
    both = set(_changed(base, ours)) & set(_changed(base, theirs))
    return sorted(path for path in both if ours.get(path) != theirs.get(path))


def merge(hub: Hub, repo: Repo, thread: Discussion, *, author: str) -> Commit:
    """Apply a pull request's changes to its target branch.

    Raises:
        HubError: 400 unless it is an open pull request, 409 when it has conflicts.
    """
    with hub.database.transaction():
        head = hub.history.resolve(repo, thread.base_ref or "")
        if thread.status != "open" or thread.base_ref is None or head is None:
            raise errors.bad_request(f"Pull request {thread.num} is {thread.status}, not open")
        if collisions := conflicts(hub, repo, thread):
            raise errors.conflict(f"Files with conflicts: {', '.join(collisions)}")
        merged = hub.history.tree(head)
        theirs = _tree(hub, repo, thread.ref)
        for path in _changed(_tree(hub, repo, thread.base_commit), theirs):
            merged.pop(path, None)
            if path in theirs:
                merged[path] = theirs[path]
        made = hub.history.record(
            repo,
            merged,
            ref=thread.base_ref,
            parent=head.oid,
            title=f"{thread.title} (#{thread.num})",
            message="",
            author=author,
        )
        hub.discussions.set_merged(repo, thread.num, author=author, commit=made.oid)
    return made


def diff(hub: Hub, repo: Repo, thread: Discussion) -> str:
    """A unified diff; of LFS and long files only the names are shown."""
    old = _tree(hub, repo, thread.base_commit)
    new = _tree(hub, repo, thread.ref)
    pieces = []
    for path in _changed(old, new):
        pieces.append(f"diff --git a/{path} b/{path}\n")
        before, after = _lines(hub, old.get(path)), _lines(hub, new.get(path))
        pieces += difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(pieces)


def _lines(hub: Hub, entry: Entry | None) -> list[str]:
    if entry is None or entry.lfs or entry.size > _DIFF_LIMIT:
        return []
    text = hub.blobs.read(entry.sha256, _DIFF_LIMIT).decode(errors="replace")
    return text.splitlines(keepends=True)
