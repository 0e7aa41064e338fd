"""Disks that are full, short or forbidden: a clear error, no final name, and a resume."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bot.checkpoint.disk import Disk, write_atomic
from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.checkpoint.shard_file import PAGE
from bot.engine.execute import execute
from bot.errors import StorageError
from tests.checkpoint.models import random_tensors, write_model
from tests.engine.disks import ShortDisk
from tests.engine.plans import plan_for
from tests.mounts import mounted

SHAPES = {"a": (900, 500), "b": (77,), "c": (800, 400)}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FolderSource]:
    home = tmp_path_factory.mktemp("parents")
    return {
        name: write_model(home / name, random_tensors(i, SHAPES)) for i, name in enumerate("xy")
    }


def merge(sources: dict[str, FolderSource], out: Path, disk: Disk | None = None) -> str:
    plan = plan_for(sources, "linear", {"weight": (0.3, 0.7)})
    return execute(plan, sources, FolderSink(out, disk=disk))


@pytest.mark.parametrize("most", [1 << 16, 4096, 100_001])
def test_short_writes_are_continued(
    sources: dict[str, FolderSource], tmp_path: Path, most: int
) -> None:
    digest = merge(sources, tmp_path / "out", ShortDisk(most))
    assert FolderSource(tmp_path / "out").id == digest
    assert merge(sources, tmp_path / "plain") == digest


class NoFallocate(Disk):
    """A system that cannot reserve space, so that a full disk shows only while writing."""

    def allocate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, 0)


def test_a_size_limit_first_shortens_a_write_then_forbids_it(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot write to .*model\.safetensors") as caught:
            merge(sources, tmp_path / "out", NoFallocate())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "bytes" in caught.value.message
    assert not (tmp_path / "out").exists()
    assert merge(sources, tmp_path / "out") == merge(sources, tmp_path / "plain")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    with mounted(tmp_path / "small", "2m") as place:
        yield place


if os.geteuid() == 0:  # only root may mount; RLIMIT_FSIZE above needs no rights

    @pytest.mark.parametrize("disk", [Disk, NoFallocate])
    def test_a_full_disk_is_named(
        sources: dict[str, FolderSource], small_disk: Path, disk: type[Disk]
    ) -> None:
        with pytest.raises(StorageError, match=r"No space left") as caught:
            merge(sources, small_disk / "out", disk())
        assert "free some space" in (caught.value.hint or "")
        assert not (small_disk / "out").exists()


def test_someone_elses_folder_is_never_touched(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match="is not the result of this merge"):
        merge(sources, out)
    assert (out / "thesis.txt").read_text() == "years of work"
    assert not (tmp_path / "out.partial").exists()


def test_an_empty_folder_is_taken_and_a_finished_merge_is_left_alone(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    digest = merge(sources, out)
    made = (out / "model.safetensors").stat().st_mtime_ns
    assert merge(sources, out) == digest
    assert (out / "model.safetensors").stat().st_mtime_ns == made


def test_a_finished_merge_of_another_plan_is_refused(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    merge(sources, tmp_path / "out")
    other = plan_for(sources, "linear", {"weight": (0.5, 0.5)}, digest="other")
    with pytest.raises(StorageError, match="is not the result of this merge"):
        execute(other, sources, FolderSink(tmp_path / "out"))


def test_side_files_may_not_leave_the_folder(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    plan = plan_for(sources, "linear", {"weight": 1.0}, files={"../x": b"1"})
    with pytest.raises(StorageError, match="not a file name inside"):
        execute(plan, sources, FolderSink(tmp_path / "out"))


def test_folder_and_memory_make_one_model(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    plan = plan_for(sources, "linear", {"weight": (0.3, 0.7)})
    assert execute(plan, sources, MemorySink()) == merge(sources, tmp_path / "out")


class FailingRename(Disk):
    """Cannot rename."""

    def rename(self, old: Path, new: Path) -> None:
        raise StorageError(f"cannot rename to {new}: no")


def test_an_atomic_write_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "record.json"
    write_atomic(path, b"one")
    with pytest.raises(StorageError):
        write_atomic(path, b"two", disk=FailingRename())
    assert path.read_bytes() == b"one"
    write_atomic(path, b"three", disk=ShortDisk(2))
    assert path.read_bytes() == b"three"
    assert [entry.name for entry in path.parent.iterdir()] == ["record.json"]


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        write_atomic(tmp_path / "file" / "below", b"")


def test_a_draft_that_cannot_be_taken_away_hides_no_error(tmp_path: Path) -> None:
    (tmp_path / f".record.json.{os.getpid()}.partial").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        write_atomic(tmp_path / "record.json", b"")


def test_a_file_that_cannot_be_measured_is_named(tmp_path: Path) -> None:
    disk = Disk()
    fd = disk.open(tmp_path / "journal", os.O_RDWR | os.O_CREAT)
    os.close(fd)
    with pytest.raises(StorageError, match=r"cannot look at .*journal"):
        disk.append(fd, b"line")


def test_too_many_shards_for_the_system_are_explained(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    plan = plan_for(sources, "linear", {"weight": (0.3, 0.7)})
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 3, before[1]))
    try:
        with pytest.raises(StorageError, match="Too many open files") as caught:
            execute(plan, sources, FolderSink(tmp_path / "out", shard_bytes=1), threads=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "--out-shard-size" in (caught.value.hint or "")
    digest = execute(plan, sources, FolderSink(tmp_path / "out", shard_bytes=1))
    assert digest == merge(sources, tmp_path / "plain")


class FullAtClose(Disk):
    """A disk that says only at the end, as NFS does, that it could not keep a file of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def close(self, fd: int) -> None:
        self.closed += self._paths[fd].suffix == ".safetensors"
        super().close(fd)
        if self.closed == 2:  # the first time it was laid out
            self.closed += 1
            raise StorageError("cannot close the file: No space left on device")


def test_a_disk_that_is_full_at_the_end_says_so(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    disk, out = FullAtClose(), tmp_path / "out"
    with pytest.raises(StorageError, match="No space left"):
        merge(sources, out, disk)
    assert not out.exists()
    assert disk._paths == {}  # whatever was open is closed
    assert merge(sources, out) == merge(sources, tmp_path / "other")


class Direct(Disk):
    """Counts the bytes that are written past the page cache."""

    def __init__(self) -> None:
        super().__init__()
        self.direct: set[int] = set()
        self.written = 0

    def open_direct(self, path: Path) -> int | None:
        fd = super().open_direct(path)
        if fd is not None:
            self.direct.add(fd)
        return fd

    def pwrite_some(self, fd: int, data: memoryview, offset: int) -> int:
        written = super().pwrite_some(fd, data, offset)
        self.written += written if fd in self.direct else 0
        return written


def takes_direct_writes(folder: Path) -> bool:
    try:
        fd = os.open(folder / "probe", os.O_RDWR | os.O_CREAT | getattr(os, "O_DIRECT", 0))
    except OSError:
        return False
    os.close(fd)
    return hasattr(os, "O_DIRECT")


def test_large_aligned_tensors_take_the_direct_path(tmp_path: Path) -> None:
    tensors = {"x": np.arange(1 << 20, dtype=np.float32), "y": np.ones(3, np.float32),
               "z": np.arange(300_001, dtype=np.float32)}  # fmt: skip
    source = {"a": write_model(tmp_path / "a", tensors)}
    disk = Direct()
    execute(plan_for(source, None), source, FolderSink(tmp_path / "out", disk=disk))
    assert FolderSource(tmp_path / "out").id == source["a"].id
    whole = sum(values.nbytes for values in tensors.values())
    if takes_direct_writes(tmp_path):
        assert whole - 4 * PAGE < disk.written <= whole
    else:
        assert disk.written == 0
