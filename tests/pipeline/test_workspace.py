"""One process at a time per output, and files that someone tore are made anew."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from bot.errors import StorageError
from bot.events import Event, silent
from bot.pipeline.file_lock import exclusive_lock
from bot.pipeline.json_formats import CHECKS, read_document


def lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.mergebot-lock")


def held(path: Path) -> int:
    """The lock of ``path`` as another process would hold it."""
    lock = os.open(lock_of(path), os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def test_nothing_is_left_of_a_lock(tmp_path: Path) -> None:
    with exclusive_lock("merge", tmp_path / "below" / "model", silent):
        assert lock_of(tmp_path / "below/model").is_file()
    assert list((tmp_path / "below").iterdir()) == []


def test_a_second_process_waits_and_says_so(tmp_path: Path) -> None:
    other = held(tmp_path / "model")
    said: list[str] = []

    def report(event: Event) -> None:
        said.append(event.item)
        os.close(other)

    with exclusive_lock("merge", tmp_path / "model", report):
        assert len(said) == 1
    assert f"another process is at work on {tmp_path / 'model'};" in said[0]


def test_a_lock_file_of_the_users_is_kept(tmp_path: Path) -> None:
    """``mergebot merge recipe.yaml poetry`` beside a ``poetry.lock``."""
    files = [tmp_path / "poetry.lock", lock_of(tmp_path / "poetry")]
    for file in files:
        file.write_text("mine")
    with exclusive_lock("merge", tmp_path / "poetry", silent):
        pass
    assert [file.read_text() for file in files] == ["mine", "mine"]


def test_a_folder_in_the_place_of_the_lock_is_named(tmp_path: Path) -> None:
    lock_of(tmp_path / "model").mkdir()
    with (
        pytest.raises(StorageError, match=r"\.model\.mergebot-lock: Is a directory") as caught,
        exclusive_lock("merge", tmp_path / "model", silent),
    ):
        pass
    assert "move it away" in (caught.value.hint or "")


def test_the_first_one_takes_its_lock_away_while_the_second_waits(tmp_path: Path) -> None:
    """The second must not take a removed file for a lock that a third would respect."""
    other = held(tmp_path / "model")

    def report(event: Event) -> None:
        del event
        lock_of(tmp_path / "model").unlink()
        os.close(other)

    with exclusive_lock("merge", tmp_path / "model", report):
        third = os.open(lock_of(tmp_path / "model"), os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(third)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": ', "\x00", '"word"'])
def test_a_torn_document_counts_as_missing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "checks.json"
    assert read_document(path, CHECKS) is None
    path.write_text(text)
    assert read_document(path, CHECKS) is None
