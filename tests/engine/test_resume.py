"""A merge that stopped half-way makes only what is not finished."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.engine.execute import execute
from bot.errors import StorageError
from tests.checkpoint.models import random_tensors, write_model
from tests.engine.plans import plan_for

NAMES = [f"t{number}" for number in range(12)]


class Watched(FolderSink):
    """Notes which tensors are written and finished; the disk is full after some of them."""

    def __init__(self, path: Path, *, full_after: int) -> None:
        super().__init__(path, shard_bytes=5_000_000_000)
        self.full_after = full_after
        self.written: set[str] = set()
        self.finished: set[str] = set()

    def write(self, name: str, offset: int, data: memoryview) -> None:
        if len(self.finished) >= self.full_after:
            raise StorageError("the disk is full")
        self.written.add(name)
        super().write(name, offset, data)

    def finish(self, name: str, digest: str) -> None:
        super().finish(name, digest)
        self.finished.add(name)


class Read(FolderSource):
    """Notes which tensors are read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read: set[str] = set()

    def read_into(self, name: str, offset: int, buffer: memoryview) -> None:
        self.read.add(name)
        super().read_into(name, offset, buffer)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [("task_arithmetic", {"weight": 0.5}), ("ties", {"weight": 0.5, "density": 0.4})],
)
def test_finished_tensors_are_neither_read_nor_made_again(
    tmp_path: Path, method: str, parameters: dict[str, float]
) -> None:
    for seed, name in enumerate("abc"):
        shapes = dict.fromkeys(NAMES, (8, 40))
        write_model(tmp_path / name, random_tensors(seed, shapes))
    sources = {name: FolderSource(tmp_path / name) for name in "abc"}
    plan = plan_for(sources, method, parameters, base="a")

    first = Watched(tmp_path / "out", full_after=5)
    with pytest.raises(StorageError, match="full"):
        execute(plan, sources, first, threads=1)
    assert 5 <= len(first.finished) < len(NAMES)

    readers = {name: Read(tmp_path / name) for name in "abc"}
    second = Watched(tmp_path / "out", full_after=len(NAMES) + 1)
    digest = execute(plan, readers, second, threads=1)
    left = set(NAMES) - first.finished
    assert second.written == second.finished == left
    assert all(reader.read == left for reader in readers.values())
    assert digest == execute(plan, sources, MemorySink(), threads=1)


def test_a_finished_merge_makes_nothing_again(tmp_path: Path) -> None:
    sources = {"a": write_model(tmp_path / "a", {"x": np.ones((3, 3), np.float32)})}
    plan = plan_for(sources, "passthrough", {"scale": 2.0})
    first, second = (Watched(tmp_path / "out", full_after=9) for _ in range(2))
    assert execute(plan, sources, first) == execute(plan, sources, second)
    assert first.written == {"x"}
    assert not second.written
