"""Files from the Hub to this disk: only what a merge needs, at one commit, checked byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download

from bot.errors import CheckpointError, HubError
from bot.events import Event, Report
from bot.hub.client import Hub
from bot.hub.download_progress import Tell, telling
from bot.hub.hub_errors import BrokenTransferError, explained
from bot.hub.repo_snapshot import Snapshot, take_snapshot
from bot.recipe.lock import LockedFile

NEEDED = (
    "*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json",
    "tokenizer*.json", "tokenizer.model", "tokenizer.tiktoken", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model",
    "sentencepiece.bpe.model", "chat_template.json", "*.jinja", "adapter_config.json",
    "LICENSE*", "NOTICE*", "USE_POLICY*", "README.md",
)  # fmt: skip
"""What a merge may need; never code, never pickles. Names with a folder are never fetched."""

PROOFS = ("recipe.lock.json", "digests.json")
"""What a published merge is verified with."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
BLOCK = 4 << 20


def needed(snapshot: Snapshot) -> list[str]:
    """The files of a model that a merge needs.

    Where a repository holds the same weights twice (one file and shards), the one file counts.

    Raises:
        CheckpointError: there are no safetensors.
    """
    found = [path for path in sorted(snapshot.files) if _matches(path, NEEDED)]
    weights = [path for path in found if path.endswith(".safetensors")]
    if not weights:
        raise _no_weights(snapshot)
    if "model.safetensors" in weights:
        unused = {path for path in weights if path.startswith("model-")}
        unused.add("model.safetensors.index.json")
        found = [path for path in found if path not in unused]
    return found


def fetch_model(hub: Hub, repo: str, revision: str | None, report: Report) -> Path:
    """A published merge with its lock and digests, ready to be verified.

    Raises:
        AccessError, HubError: it cannot be had.
        CheckpointError: it holds no safetensors.
    """
    snapshot = take_snapshot(hub, repo, revision)
    proofs = [path for path in PROOFS if path in snapshot.files]
    return fetch(hub, snapshot, [*needed(snapshot), *proofs], report)


def fetch(hub: Hub, snapshot: Snapshot, paths: Sequence[str], report: Report) -> Path:
    """Bring files into the cache and check them; returns their folder.

    What is there already is not asked for again; a broken transfer goes on where it stopped.

    Raises:
        StorageError: not enough room, before the first byte.
        HubError: a file cannot be had, or never arrives as announced.
    """
    folder = hub.cache.snapshot(snapshot.repo, snapshot.commit, snapshot.kind)
    hub.cache.pin(snapshot.commit)
    missing = [path for path in paths if not _is_kept(hub, snapshot, path)]
    if missing and hub.offline:
        raise HubError(
            f"offline, and not in the cache: {', '.join(missing)} of {snapshot.repo} at "
            f"{snapshot.commit[:12]} ({len(missing)} of {len(paths)} files)",
            hint="run once with the network; what it fetches is kept",
        )
    total, done = snapshot.size(missing), 0
    hub.cache.make_room(total)
    report(Event("fetch", "start", "bytes", 0, total, snapshot.repo))
    for path in missing:
        _fetch_one(hub, snapshot, path, _telling(report, done, total, f"{snapshot.repo}/{path}"))
        done += snapshot.files[path].size
        report(Event("fetch", "advance", "bytes", done, total, f"{snapshot.repo}/{path}"))
    report(Event("fetch", "end", "bytes", total, total, f"{snapshot.repo}: {len(paths)} files"))
    return folder


def hashes(hub: Hub, snapshot: Snapshot, paths: Sequence[str]) -> Mapping[str, LockedFile]:
    """SHA-256 and size of fetched files."""
    checked = _checked(hub, snapshot)
    return {
        path: LockedFile(sha256=checked[path]["sha256"], size=checked[path]["size"])
        for path in paths
    }


def _telling(report: Report, before: int, total: int, item: str) -> Tell:
    def tell(arrived: int) -> None:
        report(Event("fetch", "advance", "bytes", before + arrived, total, item))

    return tell


def _fetch_one(hub: Hub, snapshot: Snapshot, path: str, tell: Tell) -> None:
    with explained(f"fetch {path} of", snapshot.repo, hub.url(snapshot.repo, snapshot.kind)):
        hub.patience.retrying(lambda: _download_checked(hub, snapshot, path, tell))


def _download_checked(hub: Hub, snapshot: Snapshot, path: str, tell: Tell) -> None:
    arrived = hf_hub_download(
        snapshot.repo,
        path,
        revision=snapshot.commit,
        repo_type=snapshot.kind,
        cache_dir=hub.cache.files,
        endpoint=hub.endpoint,
        token=hub.api.token,
        tqdm_class=telling(tell),
    )
    file = Path(arrived)
    sha256, blob = content_hashes(file)
    if not snapshot.files[path].has(sha256, blob):
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        raise BrokenTransferError(f"{path} arrived with other bytes than the Hub announces")
    stat = file.stat()
    known = {"sha256": sha256, "size": stat.st_size, "changed": stat.st_mtime_ns}
    checked = {**_checked(hub, snapshot), path: known}
    hub.cache.write(snapshot.repo, f"{snapshot.commit}.checked", checked, snapshot.kind)


def content_hashes(file: Path) -> tuple[str, str]:
    """SHA-256 of a file, and the id git gives its content."""
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(usedforsecurity=False)
    blob.update(b"blob %d\0" % file.stat().st_size)
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            sha256.update(block)
            blob.update(block)
    return sha256.hexdigest(), blob.hexdigest()


def _is_kept(hub: Hub, snapshot: Snapshot, path: str) -> bool:
    """Whether a file lies in the cache as it was when it was checked."""
    checked = _checked(hub, snapshot).get(path)
    file = hub.cache.snapshot(snapshot.repo, snapshot.commit, snapshot.kind) / path
    try:
        stat = file.stat()
    except OSError:
        return False
    if not checked or (stat.st_size, stat.st_mtime_ns) != (checked["size"], checked["changed"]):
        file.resolve().unlink(missing_ok=True)
        return False
    return True


def _checked(hub: Hub, snapshot: Snapshot) -> Mapping[str, Any]:
    """What was found when the files of a commit were checked, by path."""
    return hub.cache.read(snapshot.repo, f"{snapshot.commit}.checked", snapshot.kind) or {}


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return "/" not in path and any(fnmatchcase(path, pattern) for pattern in patterns)


def _no_weights(snapshot: Snapshot) -> CheckpointError:
    where = f"{snapshot.repo} at {snapshot.commit[:12]}"
    pickled = sorted(path for path in snapshot.files if _matches(path, PICKLES))
    if pickled:
        return CheckpointError(
            f"{where} holds only pickled weights ({pickled[0]}), which can run code when loaded",
            hint="ask its author for safetensors, or use https://huggingface.co/spaces/"
            "safetensors/convert",
        )
    return CheckpointError(f"{where} holds no safetensors", hint="is it a model repository?")
