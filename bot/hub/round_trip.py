"""A round trip on a real Hub: create, push, read back by range and whole, delete; nothing stays."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.checkpoint.folder_source import FolderSource
from bot.errors import HubError, MergebotError
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.download import fetch, needed
from bot.hub.hub_errors import explained
from bot.hub.publish_model import publish
from bot.hub.range_source import RangeSource
from bot.hub.repo_snapshot import take_snapshot
from bot.hub.upload import Upload

CARD = b"""---
license: cc0-1.0
tags:
- mergebot
---

A round trip of `mergebot doctor --live`. It deletes this repository; if you can read this, it could
not, and you may.
"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that was tried."""

    name: str
    good: bool
    detail: str


def round_trip(hub: Hub, model: Path) -> Iterator[Step]:
    """Push a small merge to a private throw-away repository, read it back, delete it.

    Args:
        hub: the Hub, with a token that may create repositories.
        model: a folder with a merge.

    Yields:
        What was tried and how it went; after a failure only the deletion follows.
    """
    repo = ""
    try:
        with explained("ask who you are at", hub.endpoint, hub.endpoint):
            user = hub.retry_policy.retrying(hub.api.whoami)["name"]
        yield Step(name="token", good=True, detail=f"{user} at {hub.endpoint}")
        repo = f"{user}/mergebot-doctor-{secrets.token_hex(4)}"
        yield from _pushed_and_read(hub, repo, model)
    except MergebotError as failure:
        hint = f" ({failure.hint})" if failure.hint else ""
        yield Step(name="failed", good=False, detail=failure.message + hint)
    finally:
        if repo:
            yield _deleted(hub, repo)


def _pushed_and_read(hub: Hub, repo: str, model: Path) -> Iterator[Step]:
    files: dict[str, Path | bytes] = {
        path.name: path for path in model.iterdir() if path.is_file() and path.name[:1] != "."
    }
    key = secrets.token_hex(32)
    bundle = Upload(
        name="round-trip", run_key=key, merge_key=key, files={**files, "README.md": CARD}
    )
    done = publish(hub, bundle, repo, silent)
    yield Step(name="publish", good=True, detail=f"{len(bundle.files)} files, {done.commit[:12]}")
    again = publish(hub, bundle, repo, silent)
    yield Step(name="publish again", good=not again.fresh, detail="nothing changed")
    snapshot = take_snapshot(hub, repo)
    yield Step(name="private", good=snapshot.private, detail=repo)
    ranged = RangeSource(hub, snapshot)
    yield Step(name="headers by range", good=True, detail=f"{len(ranged.tensors())} tensors")
    folder = fetch(hub, snapshot, needed(snapshot), silent)
    same = FolderSource(folder).id == FolderSource(model).id
    yield Step(name="read back", good=same, detail="every byte" if same else "other bytes")


def _deleted(hub: Hub, repo: str) -> Step:
    try:
        with explained("delete", repo, hub.url(repo)):
            hub.retry_policy.retrying(lambda: hub.api.delete_repo(repo, missing_ok=True))
    except HubError as failure:
        return Step(name="delete", good=False, detail=failure.message)
    return Step(name="delete", good=True, detail=repo)
