"""Files from the Hub to this disk: only what a merge needs, at one commit, checked byte by byte."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download

from bot.checkpoint.folder_source import INDEX_FILE, SINGLE_FILE
from bot.checkpoint.shard_index import parse_index
from bot.errors import CheckpointError, HubError
from bot.events import Event, Report
from bot.hub.client import Hub
from bot.hub.download_progress import Tell, telling
from bot.hub.file_list import FILE_LIST, parse_file_list
from bot.hub.hub_errors import BrokenTransferError, explained
from bot.hub.repo_snapshot import Snapshot, take_snapshot
from bot.recipe.recipe_lock import LockedFile

SIDE_FILES = (
    "config.json", "generation_config.json",
    "tokenizer*.json", "tokenizer.model", "tokenizer.tiktoken", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model",
    "sentencepiece.bpe.model", "chat_template.json", "*.jinja", "adapter_config.json",
    "LICENSE*", "NOTICE*", "USE_POLICY*", "README.md",
)  # fmt: skip
"""What a merge may need beside weights; never code, never pickles, nothing in a sub-folder."""

PROOFS = ("recipe.lock.json", "digests.json")
"""What a published merge is verified with."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
BLOCK = 4 << 20


def needed(snapshot: Snapshot, shards: Collection[str] | None = None) -> list[str]:
    """The files of a model that a merge needs.

    Many repositories hold the same weights in several layouts: one file and shards, shards and
    Mistral's ``consolidated.safetensors``, half-precision variants, Meta's ``original/`` folder.
    Only the layout that is read is needed: ``model.safetensors``, else the shards of the index.

    Args:
        snapshot: the repository.
        shards: the files that the index names, where it was read; otherwise they are known by
            their names, ``model-00001-of-00002.safetensors``.

    Raises:
        CheckpointError: there are no safetensors in a layout that is read, or the index names a
            shard that is not there.
    """
    weights = _weights(snapshot, shards)
    return sorted([*(path for path in snapshot.files if _matches(path, SIDE_FILES)), *weights])


def _weights(snapshot: Snapshot, shards: Collection[str] | None) -> list[str]:
    """The weight files that are read, and the index of shards."""
    found = [name for name in (ADAPTER_WEIGHTS, SINGLE_FILE) if name in snapshot.files]
    if SINGLE_FILE in found or INDEX_FILE not in snapshot.files:
        if not found:
            raise _no_weights(snapshot)
        return found
    if shards is None:
        listed = [path for path in snapshot.files if _matches(path, ("*.safetensors",))]
        numbered = [path for path in listed if SHARD.fullmatch(path)]
        shards = numbered or [path for path in listed if not path.startswith("consolidated")]
    missing = next((path for path in sorted(shards) if path not in snapshot.files), None)
    if missing is not None:
        raise CheckpointError(
            f"{INDEX_FILE} of {_place(snapshot)} names {missing}, which is not there",
            hint="ask its author to upload the model again",
        )
    return [*dict.fromkeys([*found, INDEX_FILE, *shards])]


def needed_at(hub: Hub, snapshot: Snapshot, report: Report) -> list[str]:
    """As `needed`, with the index of shards fetched and read where there is one.

    Raises:
        CheckpointError: as for `needed`, or the index is broken.
        HubError: the index cannot be had.
    """
    paths = needed(snapshot)
    if INDEX_FILE not in paths:
        return paths
    place = f"{INDEX_FILE} of {_place(snapshot)}"
    raw = (fetch(hub, snapshot, [INDEX_FILE], report) / INDEX_FILE).read_bytes()
    return needed(snapshot, set(parse_index(raw, place).values()))


def fetch_model(hub: Hub, repo: str, revision: str | None, report: Report) -> Path:
    """A published merge with its lock, its digests and every file it lists, to be verified.

    Raises:
        AccessError, HubError: it cannot be had.
        CheckpointError: it holds no safetensors.
    """
    snapshot = take_snapshot(hub, repo, revision)
    wanted = [*needed_at(hub, snapshot, report), *(p for p in PROOFS if p in snapshot.files)]
    if FILE_LIST in snapshot.files:
        kept = (fetch(hub, snapshot, [FILE_LIST], report) / FILE_LIST).read_bytes()
        listed = parse_file_list(kept, f"{FILE_LIST} of {_place(snapshot)}")
        wanted += [FILE_LIST, *(path for path in listed if path in snapshot.files)]
    return fetch(hub, snapshot, list(dict.fromkeys(wanted)), report)


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
        hub.retry_policy.retrying(lambda: _download_checked(hub, snapshot, path, tell))


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


def _place(snapshot: Snapshot) -> str:
    return f"{snapshot.repo} at {snapshot.commit[:12]}"


def _no_weights(snapshot: Snapshot) -> CheckpointError:
    where = _place(snapshot)
    pickled = sorted(path for path in snapshot.files if _matches(path, PICKLES))
    other = sorted(path for path in snapshot.files if path.endswith(".safetensors"))
    if other:
        return CheckpointError(
            f"{where} has neither {SINGLE_FILE} nor {INDEX_FILE}, only {other[0]}",
            hint="use a repository of the model in the layout of transformers",
        )
    if pickled:
        return CheckpointError(
            f"{where} holds only pickled weights ({pickled[0]}), which can run code when loaded",
            hint="ask its author for safetensors, or use https://huggingface.co/spaces/"
            "safetensors/convert",
        )
    return CheckpointError(f"{where} holds no safetensors", hint="is it a model repository?")
