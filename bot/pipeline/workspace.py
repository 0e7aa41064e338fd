"""Where a run keeps what it makes: one folder, named by keys, safe to delete piece by piece."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checkpoint.disk import Disk, write_atomic
from bot.events import Event, Report

SHORT = 16
"""Characters of a key in a folder's name; the whole key stands in the files inside."""


@dataclass(frozen=True)
class Workspace:
    """``merges/<merge_key>/``, ``evaluations/<eval_key>/``, ``runs/<run_key>/``, ``board/``."""

    root: Path

    def merge(self, merge_key: str) -> Path:
        """Everything that exists once per merge: lock, plan, model, checks."""
        return self.root / "merges" / merge_key[:SHORT]

    def run(self, run_key: str) -> Path:
        """What one choice of suites found about a merge."""
        return self.root / "runs" / run_key[:SHORT]

    @property
    def evaluations(self) -> Path:
        """Scores by evaluation key, parents' and merges' alike."""
        return self.root / "evaluations"

    @property
    def board(self) -> Path:
        """The board's folder; records lie in ``records/``."""
        return self.root / "board"


def write_json(path: Path, content: Any) -> None:
    """Leave a JSON document under its name in one step; written last, it ends a stage."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomic(path, text.encode())


def read_json(path: Path) -> Mapping[str, Any] | None:
    """A stage's document, or None when the stage has not ended (or the file was torn by hand)."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


@contextmanager
def alone(stage: str, path: Path, report: Report) -> Iterator[None]:
    """Keep other processes away from what ``path`` stands for, waiting for one that is at work.

    The lock is an empty hidden file beside it, ``.<name>.mergebot-lock``, which is gone in the end.
    A process that dies frees it.

    Raises:
        StorageError: the file cannot be made.
    """
    disk, place = Disk(), path.with_name(f".{path.name}.mergebot-lock")
    disk.make_folder(place.parent)
    held = _hold(stage, path, place, disk, report)
    try:
        yield
    finally:
        with suppress(OSError):
            if os.fstat(held).st_size == 0:  # else it is someone's, whatever its name
                place.unlink()
        disk.close(held)


def _hold(stage: str, path: Path, place: Path, disk: Disk, report: Report) -> int:
    """The open and locked file; its holder removes it, so that it may be gone once we have it."""
    while True:
        held = disk.open(place, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Event(stage, "note", item=f"another process is at work on {path}; waiting"))
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
            except BaseException:
                disk.close(held)
                raise
        except OSError:
            return held  # a file system without locks: one process at a time is the user's care
        with suppress(FileNotFoundError):
            if place.stat().st_ino == os.fstat(held).st_ino:
                return held
        disk.close(held)
