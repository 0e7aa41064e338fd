"""A merge may be killed anywhere; the same call then ends in the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.engine.execute import execute
from tests.checkpoint.models import random_tensors, write_model
from tests.engine.disks import CRASH_STATUS, RecordingDisk
from tests.engine.plans import plan_for
from tests.processes import interruptible

SHAPES = {"a": (40, 9), "b": (17,), "c": (), "d": (3, 5, 7), "e": (0, 4)}
TIES = {"weight": (0.7, 0.6), "density": (0.4, 0.5)}
EVERY_TENSOR = 1
"""A group commit after every byte: each finished tensor is journalled by itself."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FolderSource]:
    home = tmp_path_factory.mktemp("parents")
    return {
        name: write_model(home / name, random_tensors(seed, SHAPES))
        for seed, name in enumerate(("base", "one", "two"))
    }


def merge(sources: Mapping[str, FolderSource], out: Path, disk: RecordingDisk) -> str:
    plan = plan_for(sources, "ties", TIES, base="base", files={"config.json": b"{}"})
    sink = FolderSink(out, disk=disk, shard_bytes=900, group_bytes=EVERY_TENSOR)
    return execute(plan, sources, sink, threads=1)


def fingerprint(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def in_a_child(sources: Mapping[str, FolderSource], out: Path, disk: RecordingDisk) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            merge(sources, out, disk)
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_at_every_operation_it_resumes_to_the_same_bytes(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    clean = RecordingDisk()
    digest = merge(sources, tmp_path / "clean", clean)
    expected = fingerprint(tmp_path / "clean")
    assert len(clean.operations) > 30
    # Neighbouring tensors may share a group commit, so runs differ by a few operations.
    surely = len(clean.operations) - 2 * len(SHAPES)
    for step in range(1, len(clean.operations) + 1):
        out = tmp_path / f"killed-{step}"
        status = in_a_child(sources, out, RecordingDisk(step))
        assert status == CRASH_STATUS or (status == 0 and step > surely)
        assert not out.exists() or fingerprint(out) == expected
        assert merge(sources, out, RecordingDisk()) == digest
        assert fingerprint(out) == expected, clean.operations[step - 1]
        assert not out.with_name(out.name + ".partial").exists()


def test_killed_again_while_resuming(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    digest = merge(sources, tmp_path / "clean", RecordingDisk())
    for step in range(2, 36, 4):
        out = tmp_path / f"killed-{step}"
        in_a_child(sources, out, RecordingDisk(29))
        in_a_child(sources, out, RecordingDisk(step))
        assert merge(sources, out, RecordingDisk()) == digest
        assert fingerprint(out) == fingerprint(tmp_path / "clean")


def test_no_tensor_is_journalled_before_its_bytes_are_durable(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    disk = RecordingDisk()
    merge(sources, tmp_path / "out", disk)
    places = {
        name: (file.path.name, extent.start, extent.stop)
        for name, (file, extent) in FolderSource(tmp_path / "out")._places.items()
    }
    journalled = []
    for step, (offset, data) in disk.writes.items():
        if disk.operations[step] != ("write", "journal") or offset == 0:
            continue
        facts = [json.loads(line.split(b"\t")[0]) for line in data.splitlines()]
        names = [fact["tensor"] for fact in facts if "tensor" in fact]
        journalled += names
        for name in names:
            file, start, stop = places[name]
            synced = last_sync(disk, file, before=step)
            durable = sum(
                len(part)
                for at, (position, part) in disk.writes.items()
                if at < synced
                and disk.operations[at] == ("write", file)
                and start <= position < stop
            )
            assert durable == stop - start, name
    assert sorted(journalled) == sorted(SHAPES)


def last_sync(disk: RecordingDisk, file: str, before: int) -> int:
    syncs = [at for at, what in enumerate(disk.operations[:before]) if what == ("sync", file)]
    return syncs[-1]


def test_nothing_gets_its_final_name_before_it_is_durable(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    disk = RecordingDisk()
    merge(sources, tmp_path / "out", disk)
    assert disk.operations[-2:] == [("rename", "out"), ("sync folder", tmp_path.name)]
    unsynced: set[str] = set()
    for what, name in disk.operations:
        if what == "rename":
            assert not unsynced
        elif what == "write":
            unsynced.add(name)
        elif what == "sync":
            unsynced.discard(name)


def test_a_resumed_merge_makes_no_finished_tensor_again(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean = RecordingDisk()
    merge(sources, tmp_path / "clean", clean)
    steps = iter(range(len(clean.operations), 0, -1))
    while not (tmp_path / "out.partial" / "digests.json").exists():
        assert in_a_child(sources, tmp_path / "out", RecordingDisk(next(steps))) in {
            0,
            CRASH_STATUS,
        }
        if out.exists():
            shutil.rmtree(out)
    resumed = RecordingDisk()
    merge(sources, out, resumed)
    assert not [name for what, name in resumed.operations if name.endswith(".safetensors")]


def test_leftovers_of_another_plan_are_discarded(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    in_a_child(sources, out, RecordingDisk(30))
    other = plan_for(sources, "ties", TIES | {"density": (0.1, 0.1)}, base="base", digest="other")
    alone = execute(other, sources, FolderSink(tmp_path / "alone", shard_bytes=900))
    assert execute(other, sources, FolderSink(out, shard_bytes=900)) == alone
    assert fingerprint(out) == fingerprint(tmp_path / "alone")


def test_leftovers_of_another_engine_are_discarded(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    plan = plan_for(sources, "ties", TIES, base="base", files={"config.json": b"{}"})
    older = FolderSink(tmp_path / "out", shard_bytes=900)
    older.begin(plan.layout, plan.digest)
    for spec in plan.layout:
        older.write(spec.name, 0, memoryview(bytes(spec.nbytes)))
        older.finish(spec.name, "of zeros")
    older.abort()
    assert (tmp_path / "out.partial").exists()
    digest = merge(sources, tmp_path / "clean", RecordingDisk())
    assert merge(sources, tmp_path / "out", RecordingDisk()) == digest
    assert fingerprint(tmp_path / "out") == fingerprint(tmp_path / "clean")


def test_a_torn_journal_line_is_cut_off(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    digest = merge(sources, tmp_path / "clean", RecordingDisk())
    out = tmp_path / "out"
    in_a_child(sources, out, RecordingDisk(29))
    journal = tmp_path / "out.partial" / "journal"
    journal.write_bytes(journal.read_bytes() + b'{"tensor": "a", "digest": "00')
    assert merge(sources, out, RecordingDisk()) == digest


SLOW_MERGE = """
import sys, time
from pathlib import Path
from bot.checkpoint.disk import Disk
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.folder_sink import FolderSink
from bot.engine.execute import execute
from tests.engine.plans import plan_for

class SlowDisk(Disk):
    def pwrite_some(self, fd, data, offset):
        time.sleep(0.1)
        return super().pwrite_some(fd, data, offset)

home, out = Path(sys.argv[1]), Path(sys.argv[2])
sources = {name: FolderSource(home / name) for name in ("base", "one", "two")}
plan = plan_for(sources, "ties", {"weight": (0.7, 0.6), "density": (0.4, 0.5)}, base="base")
sink = FolderSink(out, disk=SlowDisk(), shard_bytes=900, group_bytes=1)
print(execute(plan, sources, sink, threads=2))
"""


def test_three_real_kills(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    home = sources["base"].path.parent
    out = tmp_path / "out"
    command = [sys.executable, "-c", textwrap.dedent(SLOW_MERGE), str(home), str(out)]
    journal = tmp_path / "out.partial" / "journal"
    for finished_tensors in (1, 2, 3):
        process = subprocess.Popen(command)
        while not journal.exists() or journal.read_bytes().count(b"\n") <= finished_tensors:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    digest = merge(sources, tmp_path / "clean", RecordingDisk())
    assert finished.stdout.split()[-1] == digest
    assert fingerprint(out) == fingerprint(tmp_path / "clean")


def test_a_real_interrupt_says_so_and_resumes(
    sources: dict[str, FolderSource], tmp_path: Path
) -> None:
    home = sources["base"].path.parent
    out = tmp_path / "out"
    command = [sys.executable, "-c", textwrap.dedent(SLOW_MERGE), str(home), str(out)]
    process = interruptible(command, stderr=subprocess.PIPE)
    while not (tmp_path / "out.partial" / "journal").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert "InterruptedRunError: stopped at" in errors
    assert not out.exists()
    digest = merge(sources, tmp_path / "clean", RecordingDisk())
    assert merge(sources, out, RecordingDisk()) == digest
