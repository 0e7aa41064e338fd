"""``files.json`` of a published model: the SHA-256 of every other file, as of its last commit."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from bot.checkpoint.untrusted_json import is_text, parse_object, shown
from bot.errors import CheckpointError

FILE_LIST = "files.json"
_FORMAT, _VERSION = "mergebot.files", 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 10_000
_HINT = "take the file again from where the model was published"


def dump_file_list(sums: Mapping[str, str]) -> bytes:
    """The text of ``files.json``: path in the repository -> SHA-256 in hex."""
    content = {"format": _FORMAT, "version": _VERSION, "files": dict(sorted(sums.items()))}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def parse_file_list(data: bytes, where: str = FILE_LIST) -> Mapping[str, str]:
    """Read what `dump_file_list` wrote, as untrusted.

    Raises:
        CheckpointError: it is of another form, or names a file outside the repository.
    """
    content = parse_object(data, where, _HINT)
    if (content.get("format"), content.get("version")) != (_FORMAT, _VERSION):
        raise CheckpointError(f"{where} is no list of files this version can read", hint=_HINT)
    files = content.get("files")
    if not isinstance(files, dict) or len(files) > _MOST_FILES:
        raise CheckpointError(f"{where} has no table of files", hint=_HINT)
    for path, sha256 in files.items():
        if not _is_inside(path) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise CheckpointError(f"{where} has a broken entry for {shown(path)}", hint=_HINT)
    return files


def sha256_of(content: Path | bytes) -> str:
    """SHA-256 of a file or of bytes, in hex."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def changed_files(folder: Path, listed: Mapping[str, str]) -> tuple[str, ...]:
    """The listed files of a folder that are missing or hold other bytes."""
    return tuple(path for path, sha256 in sorted(listed.items()) if _sum(folder / path) != sha256)


def _sum(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None


def _is_inside(path: str) -> bool:
    place = PurePosixPath(path)
    plain = is_text(path) and "\\" not in path and "\0" not in path
    return plain and bool(place.parts) and not place.is_absolute() and ".." not in place.parts
