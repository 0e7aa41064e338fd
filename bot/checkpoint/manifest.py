"""``digests.json`` beside the weights: which plan made them, and what each should hash to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import CheckpointError

MANIFEST_FILE = "digests.json"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a finished output says about itself.

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
        content = {
            "format": _FORMAT,
            "plan": self.plan,
            "model": self.model,
            "weights": dict(self.weights),
            "files": dict(sorted(self.files.items())),
            "tensors": dict(self.tensors),
        }
        return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def sums(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file."""
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None when there is none.

    Raises:
        CheckpointError: there is one, and it is not of a form this version knows.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return None
    try:
        content: Any = json.loads(path.read_bytes())
        form = content.pop("format")
        manifest = Manifest(**content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a list of digests this version can read ({error})",
            hint="remove it if you do not need it",
        ) from error
    if form != _FORMAT:
        raise CheckpointError(f"{path} has the unknown format {form!r}", hint="update mergebot")
    return manifest
