"""Where fetched files lie: the client's own cache layout, in a folder that is ours to trim.

::

    <root>/files/models--org--name/snapshots/<commit>/   what was fetched, as the client keeps it
    <root>/facts/models--org--name/<commit>.json         files, sizes, hashes and card of a commit
    <root>/facts/models--org--name/refs/<revision>.json  which commit a branch last meant
    <root>/facts/models--org--name/<commit>.headers/     safetensors headers read by range
    <root>/pins/<commit>.<process>                       in use: never trimmed
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from huggingface_hub import scan_cache_dir
from huggingface_hub.errors import CacheNotFound

from bot.checkpoint.disk import write_atomic
from bot.errors import StorageError
from bot.format_units import format_bytes

SPARE = 1.1
"""Room kept beyond what is announced."""


def free_bytes(folder: Path) -> int:
    """What is left on the disk of a folder that may not exist yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


class Cache:
    """A folder of fetched models.

    Args:
        root: the folder; made when it is first needed.
        limit: bytes of files it may hold, None for as many as the disk takes.
        free: how many bytes are left on a folder's disk.
    """

    def __init__(
        self, root: Path, *, limit: int | None = None, free: Callable[[Path], int] = free_bytes
    ) -> None:
        self.root = root
        self.limit = limit
        self._free = free

    @property
    def files(self) -> Path:
        """The client's cache folder."""
        return self.root / "files"

    def snapshot(self, repo: str, commit: str, kind: str = "model") -> Path:
        """Where the files of a commit lie once they are fetched."""
        return self.files / _folder(repo, kind) / "snapshots" / commit

    def facts(self, repo: str, kind: str = "model") -> Path:
        """What is known about a repository."""
        return self.root / "facts" / _folder(repo, kind)

    def read(self, repo: str, name: str, kind: str = "model") -> Mapping[str, Any] | None:
        """A kept document about a repository, None when there is none or it is torn."""
        try:
            content = json.loads((self.facts(repo, kind) / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def write(self, repo: str, name: str, content: Mapping[str, Any], kind: str = "model") -> None:
        """Keep a document about a repository."""
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        write_atomic(self.facts(repo, kind) / f"{name}.json", text.encode())

    def commit_of(self, repo: str, revision: str) -> str | None:
        """The commit a branch or tag last meant."""
        kept = self.read(repo, f"refs/{quote(revision, safe='')}")
        return str(kept["commit"]) if kept else None

    def remember(self, repo: str, revision: str, commit: str) -> None:
        """Note which commit a branch or tag means now."""
        self.write(repo, f"refs/{quote(revision, safe='')}", {"commit": commit})

    @contextmanager
    def pinned(self, commit: str) -> Iterator[None]:
        """Keep a commit from being trimmed, by this process or another, while the block lasts."""
        pin = self.pin(commit)
        try:
            yield
        finally:
            pin.unlink(missing_ok=True)

    def pin(self, commit: str) -> Path:
        """Keep a commit from being trimmed while this process lives."""
        path = self.root / "pins" / f"{commit}.{os.getpid()}"
        write_atomic(path, b"")
        return path

    def pins(self) -> set[str]:
        """Commits in use; those of processes that are gone are forgotten."""
        found = set()
        for path in (self.root / "pins").glob("*.*"):
            commit, _, process = path.name.rpartition(".")
            if _is_alive(process):
                found.add(commit)
            elif process.isdigit():
                path.unlink(missing_ok=True)
        return found

    def make_room(self, need: int) -> None:
        """Trim to the limit, then make sure that ``need`` more bytes fit on the disk.

        Raises:
            StorageError: they do not, whatever is trimmed.
        """
        room = int(need * SPARE)
        if self.limit is not None:
            self.trim(max(0, self.limit - room))
        short = room - self._free(self.root)
        if short > 0:
            self.trim(max(0, self.used() - short))
        free = self._free(self.root)
        if room > free:
            raise StorageError(
                f"fetching needs {format_bytes(room)}, and {self.root} has {format_bytes(free)}",
                hint="free some space, or set MERGEBOT_HUB_CACHE to a folder on another disk",
            )

    def used(self) -> int:
        """Bytes of fetched files."""
        try:
            return int(scan_cache_dir(self.files).size_on_disk)
        except CacheNotFound:
            return 0

    def trim(self, limit: int) -> int:
        """Remove the longest unused commits until at most ``limit`` bytes are left.

        Returns:
            How many bytes were freed; commits in use stay whatever the limit.
        """
        try:
            found = scan_cache_dir(self.files)
        except CacheNotFound:
            return 0
        pins, left, gone = self.pins(), found.size_on_disk, []
        revisions = [(repo.last_accessed, one) for repo in found.repos for one in repo.revisions]
        for _, revision in sorted(revisions, key=lambda pair: pair[0]):
            if left <= limit:
                break
            if revision.commit_hash not in pins:
                gone.append(revision.commit_hash)
                left = found.size_on_disk - found.delete_revisions(*gone).expected_freed_size
        if gone:
            found.delete_revisions(*gone).execute()
        return int(found.size_on_disk - left)


def _folder(repo: str, kind: str) -> str:
    return f"{kind}s--{repo.replace('/', '--')}"


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
