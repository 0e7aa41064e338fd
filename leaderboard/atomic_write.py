"""Small files that are whole or not there at all, and outlive a power cut."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from leaderboard.board_errors import RecordError


def write_once(path: Path, text: str) -> Path:
    """Write a file that must not exist yet; the same content is welcome.

    Raises:
        RecordError: it exists with other content.
    """
    temporary = _drafted(path, text)
    try:
        os.link(temporary, path)
    except FileExistsError:
        _refuse_another(path, text)
    finally:
        temporary.unlink()
    sync_folder(path.parent)
    return path


def replace(path: Path, text: str) -> None:
    """Write a file over what it was."""
    temporary = _drafted(path, text)
    try:
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder survive a power cut."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _drafted(path: Path, text: str) -> Path:
    """The text, durable under a passing name beside its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
    except BaseException:
        Path(temporary).unlink()
        raise
    return Path(temporary)


def _refuse_another(path: Path, text: str) -> None:
    if path.read_text("utf-8") != text:
        raise RecordError(
            f"{path} exists with other content; records are never changed",
            hint="retract the run, or run again with a changed recipe or suite",
        )
