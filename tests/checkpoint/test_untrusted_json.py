"""A stranger's JSON: whatever cannot be carried over is refused where it is read, by name."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from bot.checkpoint.untrusted_json import MAXIMUM_DEPTH, count_of, parse_object
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
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "the key 'b' stands twice in one object"),
        (b'{"a": [NaN]}', "it holds NaN"),
        (b'{"a": ' + b"9" * 41 + b"}", "a number of 41 digits"),
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


def test_a_file_larger_than_its_cap_is_not_parsed() -> None:
    with pytest.raises(CheckpointError, match="x has 12 bytes; at most 10 are read"):
        parse_object(b'{"a": "bbb"}', "x", "y", cap=10)


def test_numbers_that_real_configs_hold_are_read() -> None:
    text = b'{"model_max_length": 1000000000000000019884624838656, "limit": [0.0, Infinity]}'
    value = parse_object(text, "x", "y")
    assert value == {"model_max_length": 1000000000000000019884624838656, "limit": [0.0, math.inf]}


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (7, 7),
        (0, 0),
        (-1, 0),
        ("4096", 0),
        (4096.5, 0),
        (True, 0),
        (None, 0),
        ([1], 0),
        (1 << 63, 0),
    ],
)
def test_only_a_count_is_a_count(value: object, count: int) -> None:
    assert count_of({"size": value}, "size") == count
    assert count_of({}, "size") == 0
