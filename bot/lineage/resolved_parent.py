"""What is known about a parent before its weights are touched: its pin, its files, its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from bot.checkpoint.source import Source
from bot.checkpoint.untrusted_json import is_text
from bot.errors import CheckpointError
from bot.recipe.lock import LockedCard, LockedFile
from bot.recipe.recipe import ModelRef

CARD_FILE = "README.md"
FRONT_MATTER_LIMIT = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class ResolvedParent:
    """A parent, opened and pinned.

    ``pin`` is the Hub commit for a Hub model, the content digest for a folder. ``digest`` is the
    model digest over weights, config and tokenizer. ``folder`` is where the files lie once they
    have been fetched, None for a model that is only read by range.
    """

    ref: ModelRef
    kind: Literal["hub", "local"]
    pin: str
    digest: str
    source: Source
    folder: Path | None
    files: Mapping[str, LockedFile] = field(default_factory=dict)
    card: LockedCard = field(default_factory=LockedCard)
    url: str | None = None
    gated: bool = False


def family_name(origins: Mapping[str, ResolvedParent]) -> str:
    """What counts as one family of attempts: all merges of the same set of parents."""
    digests = sorted({origin.digest for origin in origins.values()})
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def read_card(text: str, where: str = CARD_FILE) -> LockedCard:
    """Read a model card's front matter; a card without one, or with a broken one, says nothing.

    Cards come from strangers: only plain strings and lists of them are taken over.

    Raises:
        CheckpointError: as ``card_of_data``; ``where`` is the file that it names.
    """
    block = _front_matter(text)
    if block is None:
        return LockedCard()
    try:
        data = _Loader(block).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError):
        return LockedCard()  # a tag on what it does not fit raises anything
    return card_of_data(data, where) if isinstance(data, dict) else LockedCard()


def card_of_data(data: Mapping[str, Any], where: str = CARD_FILE) -> LockedCard:
    """What a card's metadata says, as far as it is plain strings and lists of them.

    Raises:
        CheckpointError: a license, a parent or the like has half of a surrogate pair. To leave it
            out would be to lose a license's terms or a parent.
    """
    card = LockedCard(
        license=_one(data.get("license")),
        license_name=_one(data.get("license_name")),
        license_link=_one(data.get("license_link")),
        base_model=_many(data.get("base_model")),
        base_model_relation=_one(data.get("base_model_relation")),
        tags=_many(data.get("tags")),
        language=_many(data.get("language")),
    )
    for key, said in vars(card).items():
        if not all(map(is_text, [said] if isinstance(said, str) else said or ())):
            raise CheckpointError(
                f"{where} has half of a surrogate pair in its {key}",
                hint="correct the card's front matter, or leave the model out",
            )
    return card


class _Loader(yaml.SafeLoader):
    """Safe YAML without merge keys: thirty lines of them can multiply to billions of entries."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave ``<<`` where it is, as a key that cannot be read."""


def _front_matter(text: str) -> str | None:
    lines = text[:FRONT_MATTER_LIMIT].lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    for index, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return "\n".join(lines[1:index])
    return None


def _one(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value[:300] if isinstance(value, str) and value else None


def _many(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(item[:300] for item in items[:100] if isinstance(item, str) and item)
