"""Readers for a mapping's fields (keys, text, numbers, lists) that report problems."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bot.recipe.model_reference import REMOTE_CODE
from bot.recipe.problems import Problems, nearest
from bot.recipe.strict_yaml import ListNode, MapNode, Node, RefusedNode, ScalarNode, shorten

REFUSED_KEYS: Mapping[str, tuple[str, str]] = {
    "modules": (
        "`modules` is refused: a recipe merges one language model",
        "write the module's `models` or `slices` at the top level",
    ),
    "residual_weight": (
        "`residual_weight` is refused: mergekit reads it and never uses it",
        "remove the line; the merge stays the same",
    ),
    "override_architecture": (
        "`override_architecture` is refused: a merge keeps its parents' architecture",
        "remove it; if a parent's config.json is wrong, correct it there",
    ),
    "trust_remote_code": ("`trust_remote_code` is refused", REMOTE_CODE),
    "random_seed": ("`random_seed` is an option of mergekit's command line", "write `seed`"),
}


def check_keys(
    node: MapNode, known: Iterable[str], what: str, problems: Problems, **hints: str
) -> None:
    """Report every unknown key; ``hints`` tell where a misplaced key belongs."""
    known = tuple(known)
    for key, (place, _) in node.entries.items():
        if key in known:
            continue
        if key in REFUSED_KEYS:
            problems.add(place, *REFUSED_KEYS[key])
            continue
        hint = hints.get(key) or nearest(key, known, noun="keys")
        problems.add(place, f"unknown key `{shorten(key)}` in {what}", hint)


def value_of(node: MapNode, key: str) -> Node | None:
    """The value of a key; null counts as absent, as in mergekit."""
    if key not in node.entries:
        return None
    value = node.entries[key][1]
    return None if isinstance(value, ScalarNode) and value.value is None else value


def read_text(
    node: Node | None, what: str, problems: Problems, *, longest: int, one_line: bool = True
) -> str | None:
    """A text of at most ``longest`` characters, or None (absent, or reported)."""
    if node is None or isinstance(node, RefusedNode):
        return None
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        number = isinstance(node, ScalarNode) and node.value is not None
        problems.add(
            node, f"{what} must be text", "put it in quotes" if number else "write one text"
        )
        return None
    if len(node.text) > longest:
        size = len(node.text)
        problems.add(
            node, f"{what} has {size:,} characters; the limit is {longest:,}", "shorten it"
        )
        return None
    if one_line and "\n" in node.text.strip():
        problems.add(node, f"{what} must be one line", "remove the line breaks")
        return None
    if not node.text.strip():
        problems.add(node, f"{what} is empty", "write it out or remove the key")
        return None
    return node.text


def read_word(
    node: Node | None, what: str, pattern: re.Pattern[str], hint: str, problems: Problems
) -> str | None:
    """A text that matches a pattern, or None (absent, or reported)."""
    text = read_text(node, what, problems, longest=256)
    if text is None or node is None:
        return None
    if not pattern.fullmatch(text):
        problems.add(node, f"{what} `{shorten(text)}` is not allowed", hint)
        return None
    return text


def read_integer(
    node: Node | None, what: str, problems: Problems, *, minimum: int, maximum: int
) -> int | None:
    """A whole number within bounds, or None (absent, or reported)."""
    if node is None or isinstance(node, RefusedNode):
        return None
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int):
        problems.add(node, f"{what} must be a whole number", "write it in digits")
        return None
    if not minimum <= value <= maximum:
        problems.add(node, f"{what} must lie in [{minimum}, {maximum}]", "choose another number")
        return None
    return value


def read_list(
    node: Node | None, what: str, problems: Problems, *, longest: int = 2000
) -> tuple[Node, ...]:
    """The items of a list, empty when it is absent or reported."""
    if node is None or isinstance(node, RefusedNode):
        return ()
    if not isinstance(node, ListNode):
        problems.add(node, f"{what} must be a list", "write one `- item` per line")
        return ()
    if len(node.items) > longest:
        problems.add(
            node, f"{what} has {len(node.items)} items; the limit is {longest}", "shorten it"
        )
        return ()
    return node.items


def read_mapping(node: Node | None, what: str, problems: Problems) -> MapNode | None:
    """A mapping, or None (absent, or reported)."""
    if node is None or isinstance(node, RefusedNode):
        return None
    if not isinstance(node, MapNode):
        problems.add(node, f"{what} must be a mapping", "write `key: value` lines")
        return None
    return node
