"""A stranger's JSON file as data: one object, nested within reason, of text that can be written.

JSON can spell half of a surrogate pair (an escaped D800 alone), which is no character: such a text
cannot be encoded, so it would fail wherever it is written at last.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bot.errors import CheckpointError

MAXIMUM_DEPTH = 64
_SHOWN = 100
_CONTAINERS = (dict, list)
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_object(data: bytes, place: str, hint: str) -> dict[str, Any]:
    """The object that a file holds.

    Args:
        data: the file's bytes.
        place: the file as error messages should name it.
        hint: what to do about a broken one.

    Raises:
        CheckpointError: not UTF-8 JSON, not an object, nested too deeply, or not all of it is text.
    """
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{place} is not valid JSON: {error}", hint=hint) from error
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{place} holds a JSON {type(value).__name__}, not an object", hint=hint
        )
    if _is_deep(value):
        raise CheckpointError(f"{place} is nested more than {MAXIMUM_DEPTH} levels deep", hint=hint)
    # Only an escape brings half a pair in: most files need no second look.
    broken = _broken_text(value) if _ESCAPED_SURROGATE.search(data) else None
    if broken is not None:
        where = repr(broken[:_SHOWN])
        raise CheckpointError(f"{place} has half of a surrogate pair at {where}", hint=hint)
    return value


def is_text(value: str) -> bool:
    """Whether a string is all characters, without halves of surrogate pairs."""
    return value.isascii() or not _SURROGATE.search(value)


def _is_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAXIMUM_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, _CONTAINERS)
        ]
        if not level:
            return False
    return True


def _broken_text(value: Any) -> str | None:
    """The path of the first string, key or value, that is not all text."""
    if isinstance(value, str):
        return None if is_text(value) else ""
    if not isinstance(value, _CONTAINERS):
        return None
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(key, str) and not is_text(key):
            return key
        below = _broken_text(child)
        if below is not None:
            return f"{key}.{below}".rstrip(".")
    return None
