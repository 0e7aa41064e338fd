"""Checkpoints in folders: single file or shards, whole or damaged."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.checkpoint.digest import tensor_digest
from bot.checkpoint.folder_source import MAX_SIDE_FILE_BYTES, FolderSource
from bot.checkpoint.tensor_spec import Dtype
from bot.checkpoint.unhashed_folder import UnhashedFolder
from bot.errors import CheckpointError
from tests.checkpoint.models import random_tensors, write_model

SHAPES = {"a": (30, 7), "b": (11,), "c": (), "d": (0, 3)}


def read(source: FolderSource, name: str) -> bytes:
    buffer = bytearray(source.tensors()[name].nbytes)
    source.read_into(name, 0, memoryview(buffer))
    return bytes(buffer)


def shard(folder: Path, split: dict[str, str]) -> None:
    """Divide the folder's single file as ``split`` (tensor -> file) says, with an index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    for file in set(split.values()):
        save_file({name: tensors[name] for name in split if split[name] == file}, folder / file)
    index = {"metadata": {}, "weight_map": split}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_bytes_are_those_that_safetensors_reads(tmp_path: Path) -> None:
    tensors = random_tensors(1, SHAPES)
    source = write_model(tmp_path, tensors)
    for name, values in tensors.items():
        assert read(source, name) == values.tobytes()
    assert source.tensors()["c"].shape == ()
    assert source.tensors()["a"].dtype is Dtype.F32
    part = bytearray(12)
    source.read_into("a", 8, memoryview(part))
    assert bytes(part) == tensors["a"].tobytes()[8:20]


def test_shards_hold_the_same_model(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "whole", random_tensors(1, SHAPES))
    write_model(tmp_path / "shards", random_tensors(1, SHAPES))
    shard(
        tmp_path / "shards",
        {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors", "d": "1.safetensors"},
    )
    shards = FolderSource(tmp_path / "shards")
    assert {name: read(shards, name) for name in SHAPES} == {n: read(whole, n) for n in SHAPES}
    assert shards.id == whole.id


@pytest.mark.parametrize(
    "change", ["weights", "config.json", "tokenizer.json", "chat_template.jinja"]
)
def test_the_id_changes_with_what_shapes_behaviour(tmp_path: Path, change: str) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"1", "chat_template.jinja": b"2"}
    before = write_model(tmp_path, random_tensors(1, SHAPES), files | {"README.md": b"x"}).id
    (tmp_path / "README.md").write_bytes(b"another card")
    assert FolderSource(tmp_path).id == before
    if change == "weights":
        path = tmp_path / "model.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        (tmp_path / change).write_bytes(b"changed")
    assert FolderSource(tmp_path).id != before


def test_a_truncated_file_is_found_when_it_is_opened(tmp_path: Path) -> None:
    write_model(tmp_path, random_tensors(1, SHAPES))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*truncated"):
        FolderSource(tmp_path)


def test_a_file_cut_after_opening_is_found_when_it_is_read(tmp_path: Path) -> None:
    source = write_model(tmp_path, random_tensors(1, SHAPES))
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(700)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: tensor 'a' ends early"):
        read(source, "a")


PLAIN = r"plain \.safetensors file name"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../x.safetensors", PLAIN),
        ("a/b.safetensors", PLAIN),
        ("..", PLAIN),
        ("x.bin", PLAIN),
        ("a\\b.safetensors", PLAIN),
        ("\ud800.safetensors", "half of a surrogate pair at 'weight_map.a'"),
        (3, PLAIN),
    ],
)
def test_an_index_may_not_lead_elsewhere(tmp_path: Path, name: object, says: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match=says):
        FolderSource(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', "[" * 100_000])
def test_a_broken_index_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"index\.json"):
        FolderSource(tmp_path)


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ({"missing": "1.safetensors"}, r"'missing' in 1\.safetensors"),
        ({"a": "2.safetensors"}, r"cannot read .*2\.safetensors"),
        (
            dict.fromkeys("acd", "1.safetensors"),
            r"leaves out tensor 'b', .* in 1\.safetensors",
        ),
    ],
)
def test_an_index_that_does_not_fit_its_shards(
    tmp_path: Path, places: dict[str, str], says: str
) -> None:
    write_model(tmp_path, random_tensors(1, SHAPES))
    shard(tmp_path, dict.fromkeys(SHAPES, "1.safetensors"))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(CheckpointError, match=says):
        FolderSource(tmp_path)


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = write_model(tmp_path, random_tensors(1, SHAPES))
    name, spec = next(iter(source.tensors().items()))
    out = memoryview(bytearray(spec.nbytes))
    source.read_into(name, 0, out)
    file = tmp_path / "model.safetensors"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    with pytest.raises(CheckpointError, match=rf"model.safetensors: tensor {name!r} was changed"):
        source.read_into(name, 0, out)


def test_a_file_that_is_replaced_is_read_on_as_it_was(tmp_path: Path) -> None:
    source = write_model(tmp_path / "a", random_tensors(1, SHAPES))
    spec = next(iter(source.tensors().values()))
    before = tensor_digest(source, spec)
    other = write_model(tmp_path / "b", random_tensors(2, SHAPES))
    (other.path / "model.safetensors").replace(source.path / "model.safetensors")
    assert tensor_digest(source, spec) == before
    assert tensor_digest(FolderSource(source.path), spec) != before


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    tensors = random_tensors(1, SHAPES)
    write_model(tmp_path, tensors)
    shard(tmp_path, dict.fromkeys(SHAPES, "1.safetensors"))
    name = next(iter(SHAPES))
    save_file({"other": tensors[name], name: tensors[name] + 1}, tmp_path / "2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    places = dict.fromkeys(SHAPES, "1.safetensors") | {"other": "2.safetensors"}
    index.write_text(json.dumps({"weight_map": places}))
    with pytest.raises(CheckpointError, match=rf"{name!r} is in both 1\.s.* and 2\.s"):
        FolderSource(tmp_path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_shard_that_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "1.safetensors"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    index = {"weight_map": {"a": path.name}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"1\.safetensors is not a regular file"):
        FolderSource(tmp_path)


@contextmanager
def as_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work inside a folder without root's right to read what nobody may read."""
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_unreadable_file_is_the_parents_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_model(tmp_path / "model", random_tensors(1, SHAPES), {"tokenizer.json": b"{}"})
    (tmp_path / "model" / "config.json").write_bytes(b"{}")
    (tmp_path / "model" / "model.safetensors").chmod(0o644)
    (tmp_path / "model" / name).chmod(0)
    with (
        as_nobody(tmp_path, monkeypatch),
        pytest.raises(CheckpointError, match=f"cannot read model/{name}") as caught,
    ):
        FolderSource(Path("model")).file(name)
    assert "permissions" in (caught.value.hint or "")


def test_an_unreadable_index_is_the_parents_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text("{}")
    index.chmod(0)
    with as_nobody(tmp_path, monkeypatch), pytest.raises(CheckpointError, match="cannot read"):
        FolderSource(Path())


@pytest.mark.parametrize("mode", [0, 0o111])
def test_an_unreadable_folder_is_the_parents_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    write_model(tmp_path / "model", random_tensors(1, SHAPES))
    (tmp_path / "model" / "model.safetensors").chmod(0o644)
    (tmp_path / "model").chmod(mode)
    for kind in (FolderSource, UnhashedFolder):
        with as_nobody(tmp_path, monkeypatch), pytest.raises(CheckpointError, match="cannot read"):
            _ = kind(Path("model")).id


@pytest.mark.parametrize(
    ("name", "counts"),
    [("config.json", True), ("tokenizer.model", True), ("README.md", False), (".DS_Store", False)],
)
def test_an_unpinned_folder_is_another_when_what_a_merge_reads_changes(
    tmp_path: Path, name: str, counts: bool
) -> None:
    write_model(tmp_path, random_tensors(1, SHAPES))
    before = UnhashedFolder(tmp_path).id
    (tmp_path / name).write_bytes(b"another")
    assert (UnhashedFolder(tmp_path).id != before) == counts


def test_pickled_weights_are_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="pickled") as caught:
        FolderSource(tmp_path)
    assert "convert" in (caught.value.hint or "")


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors"):
        FolderSource(tmp_path)
    with pytest.raises(CheckpointError, match="not a folder"):
        FolderSource(tmp_path / "nowhere")


def test_side_files_stay_inside_and_small(tmp_path: Path) -> None:
    source = write_model(tmp_path / "model", random_tensors(1, SHAPES))
    assert source.file("config.json") == b"{}"
    assert source.file("tokenizer.json") is None
    (tmp_path / "secret").write_text("x")
    for path in ("../secret", "/etc/passwd"):
        with pytest.raises(CheckpointError, match="not a file name inside"):
            source.file(path)
    with (tmp_path / "model" / "tokenizer.json").open("wb") as file:
        file.truncate(MAX_SIDE_FILE_BYTES + 1)
    with pytest.raises(CheckpointError, match="limit"):
        source.file("tokenizer.json")


def test_unknown_tensors_and_ranges(tmp_path: Path) -> None:
    source = write_model(tmp_path, random_tensors(1, SHAPES))
    with pytest.raises(CheckpointError, match="no tensor 'z'"):
        source.read_into("z", 0, memoryview(bytearray(1)))
    for offset in (-1, 41):
        with pytest.raises(CheckpointError, match="'b' has no bytes"):
            source.read_into("b", offset, memoryview(bytearray(4)))


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    tensors = random_tensors(1, {"a": (300, 70)})
    source = write_model(tmp_path, tensors)
    expected, wrong = tensors["a"].tobytes(), []

    def check(seed: int) -> None:
        for offset in np.random.default_rng(seed).integers(0, len(expected) - 100, 200).tolist():
            part = bytearray(100)
            source.read_into("a", offset, memoryview(part))
            if bytes(part) != expected[offset : offset + 100]:
                wrong.append(offset)

    threads = [threading.Thread(target=check, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_adapter_named_as_a_model_is_answered_with_base_and_adapter(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is a LoRA adapter, not a model") as caught:
        FolderSource(tmp_path)
    assert f"org/base+./{tmp_path.name}" in (caught.value.hint or "")
