"""The one parser for JSON from strangers: a single object, bounded in size, depth and numbers.

JSON can spell half of a surrogate pair (an escaped D800 alone), which is no character: such a text
cannot be encoded, so it would fail wherever it is written later.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bot.errors import CheckpointError

MAXIMUM_BYTES = 64 << 20
MAXIMUM_DEPTH = 64
MAXIMUM_DIGITS = 40
"""Enough for ``"model_max_length": 1000000000000000019884624838656``, which transformers writes."""
_SHOWN = 100
_CONTAINERS = (dict, list)
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _RefusedError(ValueError):
    """A key or number that is legal JSON and still not taken."""


def parse_object(data: bytes, place: str, hint: str, *, cap: int = MAXIMUM_BYTES) -> dict[str, Any]:
    """The object that a file holds.

    ``Infinity`` is read, as some configs need it (Mamba2's ``time_step_limit``); ``NaN`` is not.

    Args:
        data: the file's bytes.
        place: the file as error messages should name it.
        hint: what to do about a broken one.
        cap: greatest size in bytes.

    Raises:
        CheckpointError: not UTF-8 JSON, not an object, larger than ``cap``, nested too deeply, a
            key twice in one object, a number that is NaN or has too many digits, or text with half
            of a surrogate pair.
    """
    if len(data) > cap:
        message = f"{place} has {len(data)} bytes; at most {cap} are read"
        raise CheckpointError(message, hint=hint)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_constant,
            parse_int=_integer,
        )
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
        where = shown(broken, _SHOWN)
        raise CheckpointError(f"{place} has half of a surrogate pair at {where}", hint=hint)
    return value


def is_text(value: str) -> bool:
    """Whether a string is all characters, without halves of surrogate pairs."""
    return value.isascii() or not _SURROGATE.search(value)


def shown(value: object, limit: int = 60) -> str:
    """An untrusted value as Python writes it, on one line and short enough for a message."""
    text = repr(value[: 2 * limit] if isinstance(value, str) else value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def count_of(section: Mapping[str, Any], key: str) -> int:
    """The value of a key that should be a count (a size, a number of layers); 0 for anything else.

    Configs hold ``-1``, ``"4096"`` and ``4096.5`` under such keys; none of these is a count.
    """
    value = section.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 <= value < 1 << 63 else 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise _RefusedError(f"the key {shown(twice)} stands twice in one object")
    return found


def _constant(name: str) -> float:
    if name == "NaN":
        raise _RefusedError("it holds NaN")
    return math.inf if name == "Infinity" else -math.inf


def _integer(digits: str) -> int:
    if len(digits) > MAXIMUM_DIGITS:
        raise _RefusedError(f"it holds a number of {len(digits)} digits")
    return int(digits)


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
