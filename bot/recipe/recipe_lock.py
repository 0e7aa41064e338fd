"""The lock ``recipe.lock.json``: pinned parents, versions and digests, to make the same bytes
again.

Data only. Resolving fills in the parents, merging the digests of the result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from bot.errors import RecordError
from bot.recipe.recipe import ModelRef
from leaderboard.versioned_json import JsonFormat

LOCK_FILE = "recipe.lock.json"
MAXIMUM_BYTES = 64 * 1024 * 1024


def _first_version(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had its number under a key of its own; another number stays and is refused."""
    number = content.get("lock_version")
    if type(number) is int and number == 1:
        return {key: value for key, value in content.items() if key != "lock_version"}
    return content


FORMAT = JsonFormat(
    name="mergebot.lock", version=2, unmarked=1, steps={1: _first_version}, error=RecordError
)


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    """A file of a parent: SHA-256 in hex, size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class LockedCard:
    """Metadata of a parent's model card when it was pinned."""

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    base_model: tuple[str, ...] = ()
    base_model_relation: str | None = None
    tags: tuple[str, ...] = ()
    language: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LockedParent:
    """A parent as the recipe names it, and the content that the name was resolved to.

    ``pin`` is the commit of a Hub model or the content digest of a folder. ``digest`` is the
    content digest in both cases, None where the content was not read.
    """

    ref: ModelRef
    kind: Literal["hub", "local"]
    pin: str
    digest: str | None = None
    files: Mapping[str, LockedFile] = field(default_factory=dict)
    card: LockedCard = field(default_factory=LockedCard)


@dataclass(frozen=True, kw_only=True)
class LockedHost:
    """The machine of a merge: package versions, device class, CPU capability."""

    versions: Mapping[str, str]
    device: str
    cpu: str


@dataclass(frozen=True, kw_only=True)
class LockedResult:
    """The result: the model's digest, and one digest per tensor."""

    model_digest: str
    tensors: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A recipe with everything it depends on pinned.

    ``recipe`` is the YAML as its author wrote it. ``exact`` says on which machines the same bytes
    are expected again. ``result`` is None until the merge is done.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}

    recipe: str
    recipe_file: str
    recipe_hash: str
    merge_key: str
    engine_version: str
    seed: int
    parents: tuple[LockedParent, ...]
    host: LockedHost
    exact: Literal["any host", "host class"]
    result: LockedResult | None = None

    def pins(self) -> Mapping[ModelRef, str]:
        """Commit or content digest by reference."""
        return {parent.ref: parent.pin for parent in self.parents}

    def with_result(self, result: LockedResult) -> Lock:
        """A copy with the merge's result."""
        return replace(self, result=result)


def dump_lock(lock: Lock) -> str:
    """The text of a lock file; the same lock always gives the same text."""
    return FORMAT.dump(asdict(lock), indent=1)


def parse_lock(text: str | bytes, file: str = LOCK_FILE) -> Lock:
    """Read a lock file's text, refusing unknown keys and wrong types.

    Raises:
        RecordError: it is no lock, of another version, or broken; names each faulty key.
    """
    from pydantic import TypeAdapter, ValidationError

    content = FORMAT.parse(text, where=file)
    try:
        lock: Lock = TypeAdapter(Lock).validate_json(json.dumps(content))
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)[:10]
        ]
        raise RecordError(
            f"{file} is not a recipe lock: {'; '.join(faults)}",
            hint="take the lock file again from where the model was published",
        ) from None
    return lock


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        RecordError: it cannot be read, or is not a lock.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "`mergebot run` and `mergebot merge --lock` leave one beside the weights"
        raise RecordError(f"cannot read {path}: {reason}", hint=hint) from None
    if len(data) > MAXIMUM_BYTES:
        raise RecordError(f"{path} is larger than {MAXIMUM_BYTES:,} bytes and no recipe lock")
    return parse_lock(data, str(path))
