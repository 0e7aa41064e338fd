"""What is known about a parent before its weights are touched: its pin, its files, its card."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from bot.checkpoint.source import Source
from bot.checkpoint.untrusted_json import MAXIMUM_DEPTH, is_text
from bot.errors import CheckpointError
from bot.recipe.recipe import ModelRef
from bot.recipe.recipe_lock import LockedCard, LockedFile

CARD_FILE = "README.md"
FRONT_MATTER_LIMIT = 256 * 1024
TEXT_LIMIT, LIST_LIMIT = 300, 100
UNREADABLE = "(unreadable card)"
"""Stands for the license of a card whose front matter cannot be understood."""
NESTED = "(nested value)"
"""Stands for a list or table where a text is expected."""

_BRACKET = re.compile(r"[][{}]")
_MANY_INDICATORS = re.compile(r"(?:[-?:][ \t]+){64}")


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


def family_name(parents: Mapping[str, ResolvedParent]) -> str:
    """What counts as one family of attempts: all merges of the same set of parents."""
    digests = sorted({parent.digest for parent in parents.values()})
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def read_card(text: str, where: str = CARD_FILE) -> LockedCard:
    """Read a model card's front matter; a card without one declares nothing.

    Cards come from strangers and people write them by hand: every scalar is the text that stands
    there (``language: no`` is Norwegian, ``license_name: 1.0`` is a name). Front matter that is no
    YAML mapping gives the license `UNREADABLE`: it may declare one that cannot be understood.

    Raises:
        CheckpointError: as ``card_of_data``; ``where`` is the file that it names.
    """
    block = _front_matter(text)
    if block is None:
        return LockedCard()
    if _is_deep(block):
        return LockedCard(license=UNREADABLE)
    try:
        data = _Loader(block).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError):
        return LockedCard(license=UNREADABLE)  # a tag on what it does not fit raises anything
    if data is None:
        return LockedCard()
    return card_of_data(data, where) if isinstance(data, dict) else LockedCard(license=UNREADABLE)


def card_of_data(data: Mapping[str, Any], where: str = CARD_FILE) -> LockedCard:
    """What a card's metadata declares; several licenses become ``apache-2.0 AND mit``.

    Raises:
        CheckpointError: a license, a parent or the like has half of a surrogate pair. To leave it
            out would be to lose a license's terms or a parent.
    """
    card = LockedCard(
        license=_license(data.get("license")),
        license_name=_joined(data.get("license_name"), ", "),
        license_link=_joined(data.get("license_link"), " "),
        base_model=_many(data.get("base_model")),
        base_model_relation=_joined(data.get("base_model_relation"), ", "),
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
    """YAML in which every plain scalar but null is text.

    No merge keys (thirty lines of them can multiply to billions of entries) and no key twice.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - declared by the base class
        first: [(tag, pattern) for tag, pattern in known if tag == "tag:yaml.org,2002:null"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave ``<<`` where it is, as a key that cannot be read."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As inherited; a key that stands twice is an error, as it is for the Hub."""
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise yaml.constructor.ConstructorError(problem="a key stands twice")
        return found


def _is_deep(block: str) -> bool:
    """Whether a text may be nested so deeply that parsing it takes minutes."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(block):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest > MAXIMUM_DEPTH or _MANY_INDICATORS.search(block) is not None


def _front_matter(text: str) -> str | None:
    lines = text[:FRONT_MATTER_LIMIT].lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    for index, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return "\n".join(lines[1:index])
    return "[" if len(text) >= FRONT_MATTER_LIMIT else None  # cut here, so it cannot be understood


def _license(value: Any) -> str | None:
    """One license, or several as an expression; a table is not understood, so it is no license."""
    return _joined(value, " AND ")


def _joined(value: Any, separator: str) -> str | None:
    return separator.join(dict.fromkeys(_many(value)))[:TEXT_LIMIT] or None


def _many(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    texts = (_text(item) for item in items[:LIST_LIMIT])
    return tuple(text for text in texts if text)


def _text(item: Any) -> str:
    """An item as its author wrote it; the Hub's own parser reads ``no`` as false."""
    if item is False:
        return "no"
    if isinstance(item, str | int | float | dt.date):
        return str(item).strip()[:TEXT_LIMIT]
    return "" if item is None else NESTED  # not its text: aliases may multiply to billions
