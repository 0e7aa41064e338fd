"""What stands in a repository at one commit: files with sizes and hashes, card, access."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.errors import HubError
from bot.hub.client import Hub
from bot.hub.hub_errors import explained
from bot.lineage.resolved_parent import card_of_data
from bot.recipe.model_reference import hub_id_fault
from bot.recipe.recipe_lock import LockedCard

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file on the Hub: bytes, its git object id, and its SHA-256 where the Hub stores it so."""

    size: int
    blob: str
    sha256: str | None = None

    def has(self, sha256: str, blob: str) -> bool:
        """Whether content with these hashes is this file's."""
        return self.sha256 == sha256 if self.sha256 else self.blob == blob


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A repository at one commit; ``kind`` is "model" or "dataset"."""

    repo: str
    kind: str = "model"
    commit: str
    files: Mapping[str, RemoteFile]
    card: LockedCard = field(default_factory=LockedCard)
    gated: bool = False
    private: bool = False

    def size(self, paths: Sequence[str]) -> int:
        """Bytes of these files together."""
        return sum(self.files[path].size for path in paths)


def require_hub_id(repo: str) -> None:
    """Raise HubError for what cannot be the id of a repository."""
    fault = hub_id_fault(repo)
    if fault:
        raise HubError(f"{repo!r} is not a repository: {fault}", hint="write org/name")


def take_snapshot(
    hub: Hub, repo: str, revision: str | None = None, kind: str = "model"
) -> Snapshot:
    """Pin a branch, tag or commit, after making sure that its files may be read.

    Raises:
        AccessError: gated, private, or not there; says how to ask.
        HubError: no such revision, or the Hub is out of reach.
    """
    require_hub_id(repo)
    wanted = revision or "main"
    if hub.offline:
        return _kept(hub, repo, wanted, kind)
    with explained("read", repo, hub.url(repo, kind)):
        # The description of a gated repository is readable, its files are not: ask before any work.
        hub.retry_policy.retrying(lambda: hub.api.auth_check(repo, repo_type=kind))
    if COMMIT.fullmatch(wanted) and (known := _read(hub, repo, wanted, kind)) is not None:
        return known
    with explained("look up", repo, hub.url(repo, kind)):
        info = hub.retry_policy.retrying(
            lambda: hub.api.repo_info(repo, revision=wanted, repo_type=kind, files_metadata=True)
        )
    snapshot = _of_info(repo, info, kind)
    hub.cache.write(repo, snapshot.commit, asdict(snapshot), kind)
    if kind == "model":
        hub.cache.remember(repo, wanted, snapshot.commit)
    return snapshot


def card_of(hub: Hub, repo: str) -> LockedCard | None:
    """What an ancestor's card says; None when it cannot be read, for whatever reason."""
    if hub_id_fault(repo):
        return None
    kept = hub.cache.read(repo, "card")
    if kept is not None or hub.offline:
        return _card(kept["card"]) if kept else None
    try:
        with explained("look up", repo, hub.url(repo)):
            info = hub.retry_policy.retrying(lambda: hub.api.model_info(repo))
    except HubError:
        return None
    card = _card_data(info)
    hub.cache.write(repo, "card", {"card": asdict(card)})
    return card


def _of_info(repo: str, info: Any, kind: str) -> Snapshot:
    commit = info.sha or ""
    if not COMMIT.fullmatch(commit):
        raise HubError(f"the Hub names no commit for {repo}", hint="name a revision: org/name@main")
    files = {}
    for entry in info.siblings or []:
        lfs = entry.lfs
        files[entry.rfilename] = RemoteFile(
            size=int(entry.size or 0),
            blob=str(entry.blob_id or ""),
            sha256=lfs.sha256 if lfs else None,
        )
    return Snapshot(
        repo=repo,
        kind=kind,
        commit=commit,
        files=files,
        card=_card_data(info),
        gated=bool(info.gated),
        private=bool(info.private),
    )


def _card_data(info: Any) -> LockedCard:
    return card_of_data(info.card_data.to_dict() if info.card_data else {})


def _kept(hub: Hub, repo: str, revision: str, kind: str) -> Snapshot:
    commit = revision if COMMIT.fullmatch(revision) else hub.cache.commit_of(repo, revision)
    known = _read(hub, repo, commit, kind) if commit else None
    if known is None:
        raise HubError(
            f"offline, and {repo}@{revision} is not in {hub.cache.root}",
            hint="run once with the network; what it fetches is kept",
        )
    return known


def _read(hub: Hub, repo: str, commit: str, kind: str) -> Snapshot | None:
    kept = hub.cache.read(repo, commit, kind)
    if kept is None:
        return None
    try:
        files = {path: RemoteFile(**file) for path, file in kept["files"].items()}
        return Snapshot(**{**kept, "files": files, "card": _card(kept["card"])})
    except (TypeError, KeyError, AttributeError):
        return None


def _card(content: Mapping[str, Any]) -> LockedCard:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
    }
    return LockedCard(**fields)
