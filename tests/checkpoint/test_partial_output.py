"""Whatever stands in ``out.partial`` is gone on with, begun anew, or left alone: never lost."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from bot.checkpoint.digest import TensorDigest
from bot.checkpoint.disk import Disk
from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.errors import CheckpointError, StorageError
from tests.checkpoint.models import random_tensors, write_model
from tests.engine.disks import CRASH_STATUS, RecordingDisk

LAYOUT = [TensorSpec(name=name, dtype=Dtype.F32, shape=(300,)) for name in ("a", "b")]
CONTENT = {"a": b"\1" * 1200, "b": b"\2" * 1200}
FILES = {"config.json": b"{}", "templates/long.jinja": b"x"}


def merge(
    out: Path, *, plan: str = "plan", most: int = 2, disk: Disk | None = None, size: int = 1 << 30
) -> frozenset[str]:
    """Make the model, or only ``most`` of its tensors; gives what was already finished."""
    sink = FolderSink(out, disk=disk, shard_bytes=size, group_bytes=1)
    finished = sink.begin(LAYOUT, plan)
    for spec in LAYOUT[:most]:
        if spec.name not in finished:
            data = memoryview(CONTENT[spec.name])
            digest = TensorDigest(spec.nbytes)
            digest.take(0, data)
            sink.write(spec.name, 0, data)
            sink.finish(spec.name, digest.hexdigest())
    if most == len(LAYOUT):
        sink.commit(FILES)
    else:
        sink.abort()
    return frozenset(finished)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if not path.is_dir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, bytes]:
    merge(tmp_path / "expected")
    return contents(tmp_path / "expected")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def partial(out: Path) -> Path:
    return out.with_name("out.partial")


@pytest.fixture
def leftover(out: Path, partial: Path) -> Path:
    """What a merge leaves that was stopped after its first tensor."""
    merge(out, most=1)
    return partial


def killed(step: int, out: Path, *, plan: str = "plan", size: int = 1 << 30) -> None:
    """A merge that dies at one of its operations."""
    child = os.fork()
    if child == 0:
        try:
            merge(out, plan=plan, size=size, disk=RecordingDisk(step))
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == CRASH_STATUS


def almost_finished(out: Path) -> None:
    """Leave everything but the final name."""
    clean = RecordingDisk()
    merge(out.with_name("clean"), disk=clean)
    killed(len(clean.operations) - 1, out)


def test_a_leftover_is_gone_on_with(out: Path, leftover: Path, expected: dict[str, bytes]) -> None:
    assert merge(out) == {"a"}
    assert contents(out) == expected
    assert not leftover.exists()


def test_a_model_under_the_name_of_the_leftover_is_kept(out: Path, partial: Path) -> None:
    write_model(partial, random_tensors(1, {"a": (3,)}))
    before = contents(partial)
    with pytest.raises(StorageError, match="is not the partial folder of a merge") as caught:
        merge(out)
    assert "move it away" in (caught.value.hint or "")
    assert contents(partial) == before


def test_another_finished_merge_under_the_name_of_the_leftover_is_kept(
    out: Path, partial: Path
) -> None:
    merge(out, plan="other")
    out.rename(partial)
    before = contents(partial)
    with pytest.raises(StorageError, match="is not the partial folder of a merge"):
        merge(out)
    assert contents(partial) == before


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_what_is_no_folder_is_no_leftover(out: Path, partial: Path, kind: str) -> None:
    if kind == "file":
        partial.write_text("mine")
    else:
        merge(out, most=1)
        if kind == "link":
            partial.rename(partial.with_name("elsewhere"))
            partial.symlink_to("elsewhere")
        else:
            partial.rename(partial.with_name("gone"))
            partial.symlink_to("nowhere")
    with pytest.raises(
        StorageError, match="is not the partial folder of a merge but a file or a link"
    ):
        merge(out)
    assert os.path.lexists(partial)
    assert not out.exists()


@pytest.mark.parametrize("plan", ["plan", "other"])
@pytest.mark.parametrize("name", ["notes.txt", "below/notes.txt", "config.json"])
def test_a_file_of_the_users_in_a_leftover_is_neither_deleted_nor_taken_in(
    out: Path, leftover: Path, plan: str, name: str
) -> None:
    (leftover / name).parent.mkdir(exist_ok=True)
    (leftover / name).write_text("mine")
    with pytest.raises(StorageError, match=f"no merge wrote {Path(name).parts[0]} there"):
        merge(out, plan=plan)
    assert (leftover / name).read_text() == "mine"
    (leftover / name).rename(out.with_name("moved"))
    if "/" in name:
        (leftover / name).parent.rmdir()
    merge(out, plan=plan)


@pytest.mark.parametrize("name", ["model.safetensors", "digests.json", "config.json"])
def test_a_link_in_a_leftover_is_not_followed(out: Path, leftover: Path, name: str) -> None:
    victim = out.with_name("victim")
    victim.write_text("mine")
    (leftover / name).unlink(missing_ok=True)
    (leftover / name).symlink_to(victim)
    with pytest.raises(StorageError, match=f"no merge wrote {name} there"):
        merge(out)
    assert victim.read_text() == "mine"


def test_a_disk_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "config.json").symlink_to("victim")
    with pytest.raises(StorageError, match=r"config\.json") as caught:
        Disk().write_file(tmp_path / "config.json", b"{}")
    assert "a link has this file's name" in (caught.value.hint or "")
    assert (tmp_path / "victim").read_text() == "mine"


def shorten(leftover: Path) -> None:
    os.truncate(leftover / "model.safetensors", 1000)


def damage_the_header(leftover: Path) -> None:
    with (leftover / "model.safetensors").open("r+b") as file:
        file.seek(20)
        file.write(b"XX")


def lose(leftover: Path) -> None:
    (leftover / "model.safetensors").unlink()


def put_a_folder_there(leftover: Path) -> None:
    lose(leftover)
    (leftover / "model.safetensors").mkdir()


@pytest.mark.parametrize("harm", [shorten, damage_the_header, lose, put_a_folder_there])
def test_weights_that_are_not_as_they_were_laid_out_are_made_anew(
    out: Path, leftover: Path, expected: dict[str, bytes], harm: object
) -> None:
    assert callable(harm)
    harm(leftover)
    assert merge(out) == frozenset()
    assert contents(out) == expected


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "plan": "plan"}'])
def test_an_unreadable_manifest_in_a_leftover_counts_as_none(
    out: Path, leftover: Path, expected: dict[str, bytes], text: str
) -> None:
    (leftover / "digests.json").write_text(text)
    assert merge(out) == {"a"}
    assert contents(out) == expected


def test_a_folder_called_as_the_manifest_does_not_stop_the_merge_for_ever(
    out: Path, leftover: Path, expected: dict[str, bytes]
) -> None:
    (leftover / "digests.json").mkdir()
    merge(out)
    assert contents(out) == expected


def test_a_merge_that_lacks_only_its_name_is_given_it(
    out: Path, partial: Path, expected: dict[str, bytes]
) -> None:
    almost_finished(out)
    assert contents(partial) == expected
    assert merge(out) == {"a", "b"}
    assert contents(out) == expected


def test_a_merge_that_lacks_only_its_name_is_looked_at(out: Path, partial: Path) -> None:
    almost_finished(out)
    os.truncate(partial / "model.safetensors", 1000)
    with pytest.raises(StorageError, match="is not the partial folder of a merge"):
        merge(out)
    assert not out.exists()


def test_killed_while_it_begins_anew_it_knows_its_leftover(
    out: Path, leftover: Path, expected: dict[str, bytes]
) -> None:
    disk = RecordingDisk()
    merge(out, plan="other", size=1300, disk=disk)
    laid_out = disk.operations.index(("allocate", "model-00002-of-00002.safetensors"))
    assert ("remove", "model.safetensors") in disk.operations[:laid_out]
    for step in range(1, laid_out + 2):
        place = out.with_name(f"killed-{step}")
        merge(place, most=1)
        killed(step, place, plan="other", size=1300)
        merge(place)
        assert contents(place) == expected, disk.operations[step - 1]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[1]", b"{"])
def test_a_journal_line_that_is_no_fact_counts_as_torn(
    out: Path, leftover: Path, expected: dict[str, bytes], text: bytes
) -> None:
    journal = leftover / "journal"
    checksum = hashlib.sha256(text).hexdigest()[:16].encode()
    journal.write_bytes(journal.read_bytes() + text + b"\t" + checksum + b"\n")
    assert merge(out) == {"a"}
    assert contents(out) == expected


@pytest.mark.parametrize("name", ["config.json", "templates/long.jinja", "model.safetensors"])
def test_a_finished_merge_that_lost_a_file_is_not_called_done(out: Path, name: str) -> None:
    merge(out)
    (out / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} differs or is missing"):
        merge(out)


def test_a_finished_merge_with_another_header_is_not_called_done(out: Path) -> None:
    merge(out)
    damage_the_header(out)
    with pytest.raises(CheckpointError, match="a weight differs"):
        merge(out)


def test_files_beside_a_finished_merge_do_not_matter(out: Path) -> None:
    merge(out)
    (out / "README.md").write_text("a card")
    assert merge(out) == {"a", "b"}
    assert FolderSource(out).tensors().keys() == CONTENT.keys()


@pytest.mark.parametrize(
    "change",
    [{"tensors": ["a"]}, {"weights": None}, {"weights": {"model.safetensors": "5"}},
     {"files": 3}, {"plan": None}],
)  # fmt: skip
def test_a_manifest_of_other_types_is_refused(out: Path, change: dict[str, object]) -> None:
    merge(out)
    manifest = out / "digests.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.raises(CheckpointError, match=r"digests\.json is not a list of digests"):
        merge(out)
