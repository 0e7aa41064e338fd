"""A sink that writes a checkpoint folder: files laid out in advance, resumable, renamed when
complete.

The work goes on in ``<name>.partial`` beside the final name. The journal names a file before it is
made, and a tensor after its data reached the disk; the folder takes its final name as the very last
step.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath

from bot.checkpoint.digest import model_digest
from bot.checkpoint.disk import Disk, explained
from bot.checkpoint.file_layout import DEFAULT_SHARD_BYTES, Shard, index_file, lay_out
from bot.checkpoint.folder_source import INDEX_FILE, FolderSource
from bot.checkpoint.journal import Journal
from bot.checkpoint.manifest import MANIFEST_FILE, Manifest, damaged_file, read_manifest, sums
from bot.checkpoint.partial_output import clear, is_intact, require_leftover
from bot.checkpoint.shard_file import ShardFile
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import CheckpointError, StorageError

_JOURNAL_FILE = "journal"
_PARTIAL_MANIFEST = f"{MANIFEST_FILE}.partial"
DEFAULT_GROUP_BYTES = 256 << 20
_GROUP_SECONDS = 1.0


def partial_of(path: Path) -> Path:
    """The folder that is written to until it is renamed to ``path``."""
    return path.with_name(f"{path.name}.partial")


class FolderSink:
    """Writes a checkpoint folder.

    Args:
        path: the final folder; must not exist, be empty, or hold this very merge.
        disk: the file operations.
        shard_bytes: most bytes of tensors in one file.
        group_bytes: finished tensors of so many bytes are made durable and journalled together.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        disk: Disk | None = None,
        shard_bytes: int = DEFAULT_SHARD_BYTES,
        group_bytes: int = DEFAULT_GROUP_BYTES,
    ) -> None:
        self.path = Path(path)
        self.partial = partial_of(self.path)
        self._disk = disk or Disk()
        self._shard_bytes = shard_bytes
        self._group_bytes = group_bytes
        self._journal = Journal(self._disk, self.partial / _JOURNAL_FILE)
        self._group = threading.Lock()
        self._waiting_lock = threading.Lock()
        self._waiting: dict[str, str] = {}
        self._waiting_bytes = 0
        self._last_sync = time.monotonic()
        self._files: list[ShardFile] = []
        self._places: dict[str, tuple[ShardFile, int]] = {}
        self._specs: dict[str, TensorSpec] = {}
        self._shards: list[Shard] = []
        self._digests: dict[str, str] = {}
        self._plan = ""
        self._done: Manifest | None = None
        self._in_place = False

    def begin(self, layout: Sequence[TensorSpec], plan: str) -> Mapping[str, str]:
        """Lay out the files, or resume an earlier attempt at the same ``plan``.

        Raises:
            StorageError: the folder or the leftover holds something else, or the disk refuses.
            CheckpointError: the final folder holds this merge, but no longer as it was made.
        """
        self._plan = plan
        self._specs = {spec.name: spec for spec in layout}
        self._shards = lay_out(layout, self._shard_bytes)
        self._done = self._committed(self.path)
        self._in_place = self._done is not None
        if not self._in_place:
            self._refuse_foreign()
            with suppress(CheckpointError):  # an unreadable manifest is written again
                self._done = self._committed(self.partial)
            require_leftover(self.partial, self._known_names())
        if self._done is None:
            self._digests = self._resumed()
            self._open_files()
        else:
            self._digests = dict(self._done.tensors)
        return dict(self._digests)

    def write(self, name: str, offset: int, data: memoryview) -> None:
        """Write bytes at an offset of a tensor."""
        file, position = self._places[name]
        file.write(position + offset, data.cast("B"))

    def finish(self, name: str, digest: str) -> None:
        """Record a complete tensor; from time to time make all complete tensors durable."""
        with self._waiting_lock:
            self._waiting[name] = digest
            self._waiting_bytes += self._specs[name].nbytes
            idle = time.monotonic() - self._last_sync
            due = self._waiting_bytes >= self._group_bytes or idle >= _GROUP_SECONDS
        if due and self._group.acquire(blocking=False):
            try:
                self._make_durable()
            finally:
                self._group.release()

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Write side files, index and manifest, and give the folder its final name.

        Raises:
            StorageError: the disk refused; what is finished is kept for the next attempt.
            ValueError: a tensor is missing.
        """
        if self._done is None:
            written = self._side_files(files)
            with self._group:
                self._make_durable()
            self._journal.announce(written)
            self._close()
            self._done = self._write_rest(written)
        if not self._in_place:
            self._disk.remove(self.partial / _JOURNAL_FILE)
            self._disk.rename(self.partial, self.path)
            self._disk.sync_folder(self.path.parent)
            self._in_place = True
        return self._done.model

    def abort(self) -> None:
        """Close the files; finished tensors are kept for the next attempt."""
        try:
            with self._group:
                if self._files:
                    self._make_durable()
        finally:
            self._close()

    def _make_durable(self) -> None:
        """Sync the data files, then journal what was complete before the sync began."""
        with self._waiting_lock:
            group, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        if not group:
            return
        for file in {self._places[name][0] for name in group}:
            file.sync()
        self._journal.append(group)
        self._digests |= group
        self._last_sync = time.monotonic()

    def _side_files(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Every side file; names that lead outside the folder are refused."""
        for name in files:
            place = PurePosixPath(name)
            if place.is_absolute() or ".." in place.parts:
                raise StorageError(f"{name!r} is not a file name inside a model folder")
        written = dict(files)
        if len(self._shards) > 1:
            written[INDEX_FILE] = index_file(self._shards, tuple(self._specs.values()))
        return written

    def _write_rest(self, written: Mapping[str, bytes]) -> Manifest:
        missing = sorted(self._specs.keys() - self._digests.keys())
        if missing:
            raise ValueError(f"tensor {missing[0]!r} was never finished")
        for name, data in written.items():
            self._write_side_file(name, data)
        manifest = Manifest(
            plan=self._plan,
            model=model_digest(self._specs, self._digests, written),
            tensors={name: self._digests[name] for name in self._specs},
            files=sums(written),
            weights={shard.file: shard.size for shard in self._shards},
        )
        self._disk.sync_folder(self.partial)
        partial_manifest = self.partial / _PARTIAL_MANIFEST
        self._disk.write_file(partial_manifest, manifest.dump())
        self._disk.rename(partial_manifest, self.partial / MANIFEST_FILE)
        self._disk.sync_folder(self.partial)
        return manifest

    def _write_side_file(self, name: str, data: bytes) -> None:
        path = self.partial / name
        folder = path.parent
        self._disk.make_folder(folder)
        self._disk.write_file(path, data)
        if folder != self.partial:
            self._disk.sync_folder(folder)

    def _committed(self, folder: Path) -> Manifest | None:
        """The manifest in ``folder`` if this plan was finished there and no file is damaged."""
        manifest = read_manifest(folder)
        if manifest is None or manifest.plan != self._plan or damaged_file(folder, manifest):
            return None
        try:
            whole = FolderSource(folder).tensors() == self._specs
        except CheckpointError:
            return None
        return manifest if whole and manifest.tensors.keys() == self._specs.keys() else None

    def _refuse_foreign(self) -> None:
        with explained("read", self.path):
            if self.path.is_dir() and not any(self.path.iterdir()):
                return
            if not self.path.exists():
                return
        manifest = read_manifest(self.path)
        if manifest is not None and manifest.plan == self._plan:
            changed = damaged_file(self.path, manifest) or "a weight"
            raise CheckpointError(
                f"{self.path} was changed after the merge: {changed} differs or is missing",
                hint="remove that folder and run the recipe again",
            )
        raise StorageError(
            f"{self.path} exists and is not the result of this merge",
            hint="choose another output folder, or remove this one",
        )

    def _known_names(self) -> set[str]:
        """The names of files that a merge wrote to the partial folder, from its journal or
        manifest.
        """
        names = {*self._journal.files(), self._journal.partial.name}
        if self._done is not None:
            names |= {MANIFEST_FILE, *self._done.weights, *self._done.files}
        return names

    def _resumed(self) -> dict[str, str]:
        """The tensors of an earlier attempt if its files are intact; else start over."""
        heading = {"plan": self._plan, "layout": self._layout_digest()}
        finished = self._journal.read(heading)
        if finished is None or not is_intact(self.partial, self._shards, self._journal.files()):
            self._start_over(heading)
            return {}
        self._journal.resume()
        return finished

    def _layout_digest(self) -> str:
        rows = [[s.file, s.size, hashlib.sha256(s.header).hexdigest()] for s in self._shards]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def _start_over(self, heading: Mapping[str, str]) -> None:
        self._disk.make_folder(self.partial)
        clear(self._disk, self.partial, _JOURNAL_FILE)
        shards = [shard.file for shard in self._shards]
        self._journal.start(heading, [_JOURNAL_FILE, MANIFEST_FILE, _PARTIAL_MANIFEST, *shards])
        self._disk.sync_folder(self.path.parent)
        for shard in self._shards:
            with self._disk.opened(self.partial / shard.file, os.O_RDWR | os.O_CREAT) as fd:
                self._disk.allocate(fd, shard.size)
                self._disk.pwrite(fd, memoryview(shard.header), 0)
                self._disk.sync(fd)
        self._disk.sync_folder(self.partial)

    def _open_files(self) -> None:
        for shard in self._shards:
            file = ShardFile(self._disk, self.partial / shard.file)
            self._files.append(file)
            for name, position in shard.positions.items():
                self._places[name] = (file, position)

    def _close(self) -> None:
        """Close every file, even where one of them fails to."""
        files, self._files = self._files, []
        with ExitStack() as closing:
            for file in files:
                closing.callback(file.close)
            closing.callback(self._journal.close)
