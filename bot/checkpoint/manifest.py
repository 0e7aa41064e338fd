"""The manifest ``digests.json`` beside the weights: the plan's and each file's digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.checkpoint.untrusted_json import parse_object
from bot.errors import CheckpointError
from leaderboard.versioned_json import JsonFormat

MANIFEST_FILE = "digests.json"


def _first_version(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had its number where the format's name is now."""
    if content.get("format") != 1:
        raise KeyError("format")
    return {key: value for key, value in content.items() if key != "format"}


FORMAT = JsonFormat(
    name="mergebot.digests",
    version=2,
    unmarked=1,
    steps={1: _first_version},
    error=CheckpointError,
)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The contents of ``digests.json``.

    ``plan`` and ``model`` are digests; ``tensors`` maps names to tensor digests, ``files`` maps
    side files to SHA-256s, ``weights`` maps weight files to their sizes in bytes.
    """

    plan: str
    model: str
    tensors: Mapping[str, str]
    files: Mapping[str, str]
    weights: Mapping[str, int]

    def dump(self) -> bytes:
        """The text of the file."""
        return FORMAT.dump(vars(self), indent=1).encode()


def sums(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file."""
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def damaged_file(folder: Path, manifest: Manifest) -> str | None:
    """The first file that differs from its manifest (weights: size, others: SHA-256), or None."""
    for name, size in manifest.weights.items():
        if _size(folder / name) != size:
            return name
    return next((name for name, sha in manifest.files.items() if _sum(folder / name) != sha), None)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None when there is none.

    Raises:
        CheckpointError: there is one, and it is not of a form this version knows.
    """
    path = folder / MANIFEST_FILE
    try:
        if not path.is_file():
            return None
        content = parse_object(path.read_bytes(), str(path), "remove it if you do not need it")
        manifest = Manifest(**FORMAT.migrate(content, where=str(path)))
        _check_types(manifest)
    except (OSError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path} is not a list of digests this version can read ({error})",
            hint="remove it if you do not need it",
        ) from error
    return manifest


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _sum(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _check_types(manifest: Manifest) -> None:
    tables = {"tensors": str, "files": str, "weights": int}
    for field, kind in tables.items():
        table = getattr(manifest, field)
        if not isinstance(table, dict) or any(type(value) is not kind for value in table.values()):
            raise TypeError(f"{field} is not a table of {kind.__name__}s")
    for field in ("plan", "model"):
        if not isinstance(getattr(manifest, field), str):
            raise TypeError(f"{field} is not a text")
