"""Models on the Hub as parents: pinned to a commit, then fetched, or only looked at by range."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import SINGLE_FILE, FolderSource
from bot.events import Report
from bot.hub.client import Hub
from bot.hub.download import ADAPTER_WEIGHTS, fetch, hashes, needed_at
from bot.hub.range_source import RangeSource
from bot.hub.repo_snapshot import Snapshot, take_snapshot
from bot.lineage.resolved_parent import ResolvedParent
from bot.recipe.recipe import ModelRef
from bot.recipe.recipe_lock import LockedFile


class DownloadResolver:
    """Resolves a reference by fetching what a merge needs, every byte checked."""

    def __init__(self, hub: Hub, digests: FileDigests | None = None) -> None:
        self._hub = hub
        self._digests = digests

    def __call__(self, ref: ModelRef, report: Report) -> ResolvedParent:
        """The model as an opened, pinned parent.

        Raises:
            AccessError: gated, private or missing; says how to ask.
            HubError: the Hub refused or is out of reach.
            CheckpointError: the repository holds no usable checkpoint.
            StorageError: the disk has no room for it.
        """
        snapshot = take_snapshot(self._hub, ref.path, ref.revision)
        paths = needed_at(self._hub, snapshot, report)
        folder = fetch(self._hub, snapshot, paths, report)
        source = FolderSource(folder, _weights(paths), digests=self._digests)
        return _resolved(
            self._hub, ref, snapshot, source=source, digest=source.id, folder=folder,
            files=dict(hashes(self._hub, snapshot, paths)),
        )  # fmt: skip


class HeaderResolver:
    """Resolves a reference by reading headers and small files only; nothing is fetched whole."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __call__(self, ref: ModelRef, report: Report) -> ResolvedParent:
        """The model as a parent that can be planned with; its digest is its commit.

        Raises:
            AccessError, HubError, CheckpointError: as for `DownloadResolver`.
        """
        del report
        snapshot = take_snapshot(self._hub, ref.path, ref.revision)
        files = {
            path: LockedFile(sha256=file.sha256, size=file.size)
            for path, file in snapshot.files.items()
            if file.sha256 is not None
        }
        source = RangeSource(self._hub, snapshot, _weights(snapshot.files))
        return _resolved(
            self._hub, ref, snapshot, source=source, digest=snapshot.commit, files=files
        )


def _weights(paths: Container[str]) -> str:
    return ADAPTER_WEIGHTS if ADAPTER_WEIGHTS in paths else SINGLE_FILE


def _resolved(
    hub: Hub,
    ref: ModelRef,
    snapshot: Snapshot,
    *,
    source: FolderSource | RangeSource,
    digest: str,
    files: dict[str, LockedFile],
    folder: Path | None = None,
) -> ResolvedParent:
    return ResolvedParent(
        ref=ref,
        kind="hub",
        pin=snapshot.commit,
        digest=digest,
        source=source,
        folder=folder,
        files=files,
        card=snapshot.card,
        url=hub.url(ref.path),
        gated=snapshot.gated,
    )
