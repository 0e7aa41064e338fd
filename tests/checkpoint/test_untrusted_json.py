"""A stranger's JSON: whatever cannot be carried over is refused where it is read, by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.checkpoint.untrusted_json import MAXIMUM_DEPTH, parse_object
from bot.errors import CheckpointError


def nested(levels: int) -> dict[str, Any]:
    value: Any = []
    for _ in range(levels - 2):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not valid JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not valid JSON"),
        (b"[]", "holds a JSON list"),
        (json.dumps(nested(MAXIMUM_DEPTH + 1)).encode(), "nested more than 64 levels deep"),
        (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", "nested more than 64 levels deep"),
        (rb'{"a": [{"b": "\ud800"}]}', r"half of a surrogate pair at 'a\.0\.b'"),
        (rb'{"a": {"\uDFFFx": 1}}', r"half of a surrogate pair at 'a\.\\udfffx'"),
        (rb'{"\udead": 1}', r"half of a surrogate pair at '\\udead'"),
    ],
)
def test_what_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        parse_object(content, "config.json of org/a", "download it again")
    assert "config.json of org/a" in caught.value.message
    assert caught.value.hint == "download it again"


@pytest.mark.parametrize(
    "value",
    [nested(MAXIMUM_DEPTH), {"a": "\U0001f600 é 漢字", "é": [1, None, {"b": "\U0001f600"}]}],
)
def test_all_else_is_what_json_says(value: dict[str, Any]) -> None:
    for ascii_only in (True, False):
        data = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert parse_object(data, "x", "y") == value
