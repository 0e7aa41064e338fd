"""Digests equal those of hashlib, come from one pass, and are kept until a file changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.checkpoint.digest import tensor_digest
from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import FolderSource
from bot.errors import StorageError
from tests.checkpoint.models import random_tensors, write_model

SHAPES = {"a": (700, 1000), "b": (3,), "none": (0, 4), "c": (1100, 1000)}
WEIGHTS = "model.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """About 7 MB: a tensor has more than one block. Old enough for its digests to be kept."""
    write_model(tmp_path / "model", random_tensors(0, SHAPES), {"config.json": b"{}"})
    time.sleep(0.15)
    return tmp_path / "model"


def bytes_read() -> int:
    """What this process has read by system calls so far, from the kernel's own account."""
    rows = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(rows["rchar"])


def digests(model: Path, folder: Path, *, rehash: bool = False) -> tuple[str, int]:
    """The model digest with a fresh view of the folder, and how many bytes that read."""
    before = bytes_read()
    source = FolderSource(model, digests=FileDigests(folder, rehash=rehash))
    digest, sums = source.id, source.file_sha256s()
    read = bytes_read() - before
    for name, (sha256, size) in sums.items():
        data = (model / name).read_bytes()
        assert (sha256, size) == (hashlib.sha256(data).hexdigest(), len(data))
    return digest, read


def test_one_pass_gives_every_digest(model: Path, tmp_path: Path) -> None:
    size = (model / WEIGHTS).stat().st_size
    digest, read = digests(model, tmp_path / "digests")
    assert size <= read < size + 100_000
    source = FolderSource(model)
    assert source.id == digest
    for name, spec in source.tensors().items():
        assert source.tensor_digests()[name] == tensor_digest(source, spec)


def test_what_is_known_is_not_read_again(model: Path, tmp_path: Path) -> None:
    first, _ = digests(model, tmp_path / "digests")
    second, read = digests(model, tmp_path / "digests")
    assert second == first
    assert read < 100_000


def test_rehash_reads_again(model: Path, tmp_path: Path) -> None:
    first, _ = digests(model, tmp_path / "digests")
    again, read = digests(model, tmp_path / "digests", rehash=True)
    assert again == first
    assert read > (model / WEIGHTS).stat().st_size


def test_a_change_that_hides_its_size_and_time_is_seen(model: Path, tmp_path: Path) -> None:
    first, _ = digests(model, tmp_path / "digests")
    weights = model / WEIGHTS
    facts = weights.stat()
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    with weights.open("r+b") as stream:
        stream.write(data)
    os.utime(weights, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert weights.stat().st_ino == facts.st_ino
    assert weights.stat().st_mtime_ns == facts.st_mtime_ns
    assert digests(model, tmp_path / "digests")[0] != first


def test_another_file_under_the_same_name_is_seen(model: Path, tmp_path: Path) -> None:
    first, _ = digests(model, tmp_path / "digests")
    facts = (model / WEIGHTS).stat()
    write_model(tmp_path / "other", random_tensors(1, SHAPES), {"config.json": b"{}"})
    (tmp_path / "other" / WEIGHTS).replace(model / WEIGHTS)
    os.utime(model / WEIGHTS, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert digests(model, tmp_path / "digests")[0] != first


def test_a_file_that_just_changed_is_not_kept(model: Path, tmp_path: Path) -> None:
    """Its next change could leave the times as they are, where the clock of files is coarse."""
    folder = tmp_path / "digests"
    just_now = (model / WEIGHTS).stat().st_ctime_ns + 1_000_000
    source = FolderSource(model, digests=FileDigests(folder, clock=lambda: just_now))
    assert source.tensor_digests()
    assert not folder.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 99999, "\x00"])
def test_a_torn_entry_is_made_again(text: str, model: Path, tmp_path: Path) -> None:
    first, _ = digests(model, tmp_path / "digests")
    for entry in (tmp_path / "digests").iterdir():
        entry.write_text(text)
    second, read = digests(model, tmp_path / "digests")
    assert (second, read > 7_000_000) == (first, True)
    assert digests(model, tmp_path / "digests")[1] < 100_000


def test_an_entry_that_lies_about_its_file_counts_for_nothing(model: Path, tmp_path: Path) -> None:
    first, _ = digests(model, tmp_path / "digests")
    for entry in (tmp_path / "digests").iterdir():
        content = json.loads(entry.read_text())
        content["file"]["ctime_ns"] += 1
        content["sha256"], content["tensors"] = "0" * 64, dict.fromkeys(SHAPES, "0" * 64)
        entry.write_text(json.dumps(content))
    assert digests(model, tmp_path / "digests")[0] == first


def test_an_entry_of_a_newer_mergebot_is_refused(model: Path, tmp_path: Path) -> None:
    digests(model, tmp_path / "digests")
    for entry in (tmp_path / "digests").iterdir():
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"version": 2}))
    with pytest.raises(StorageError, match="made by a newer mergebot") as caught:
        digests(model, tmp_path / "digests")
    assert caught.value.hint == "upgrade mergebot"


def test_processes_share_a_folder(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from bot.checkpoint.file_digests import FileDigests; from pathlib import Path;"
        "from bot.checkpoint.folder_source import FolderSource;"
        "print(FolderSource(sys.argv[1], digests=FileDigests(Path(sys.argv[2]))).id)"
    )
    command = [sys.executable, "-c", code, str(model), str(tmp_path / "digests")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0].strip() for process in running}
    assert {process.returncode for process in running} == {0}
    assert said == {FolderSource(model).id}
    assert digests(model, tmp_path / "digests")[1] < 100_000
