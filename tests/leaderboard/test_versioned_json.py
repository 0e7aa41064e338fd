"""Documents that name their format: read back, migrated step by step, refused in one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import CheckpointError
from leaderboard.board_errors import RecordError
from leaderboard.versioned_json import JsonFormat


def rename(old: str, new: str) -> Any:
    def step(content: dict[str, Any]) -> dict[str, Any]:
        return {new if key == old else key: value for key, value in content.items()}

    return step


NOTE = JsonFormat(name="mergebot.note", version=2, steps={0: rename("a", "b"), 1: rename("b", "c")})


def test_a_document_comes_back() -> None:
    content = {"c": 1, "a": [{"z": None, "b": "ü"}]}
    text = NOTE.dump(content)
    assert NOTE.parse(text, where="x") == content
    assert json.loads(text) == {"format": "mergebot.note", "version": 2, **content}


def test_the_same_content_gives_the_same_text_with_its_format_in_front() -> None:
    one, other = (
        NOTE.dump({"b": {"y": 1, "x": 2}, "a": 0}),
        NOTE.dump({"a": 0, "b": {"x": 2, "y": 1}}),
    )
    assert one == other
    assert list(json.loads(one)) == ["format", "version", "a", "b"]


def test_older_versions_take_one_step_each() -> None:
    assert NOTE.parse('{"a": 1}', where="x") == {"c": 1}
    marked = '{"format": "mergebot.note", "version": 1, "b": 1}'
    assert NOTE.parse(marked, where="x") == {"c": 1}


def test_an_unmarked_file_may_have_had_a_version_already() -> None:
    form = JsonFormat(name="mergebot.note", version=2, unmarked=1, steps={1: rename("b", "c")})
    assert form.parse('{"b": 1}', where="x") == {"c": 1}


def test_what_is_newer_is_refused() -> None:
    with pytest.raises(RecordError, match="made by a newer mergebot") as caught:
        NOTE.parse('{"format": "mergebot.note", "version": 3}', where="notes/x.json")
    assert caught.value.message.startswith("notes/x.json was made")
    assert caught.value.hint == "upgrade mergebot"


def test_only_what_is_newer_is_refused_where_the_rest_is_written_again() -> None:
    with pytest.raises(RecordError, match="made by a newer mergebot"):
        NOTE.refuse_newer({"format": "mergebot.note", "version": 3}, where="x")
    for content in ({}, {"format": 1, "version": 9}, {"format": "mergebot.note", "version": 2}):
        NOTE.refuse_newer(content, where="x")


def test_an_older_cache_is_refused_with_what_to_do() -> None:
    cache = JsonFormat(name="mergebot.cache", version=1, error=CheckpointError, remade=True)
    with pytest.raises(CheckpointError, match="made by an older mergebot") as caught:
        cache.parse('{"a": 1}', where="x.json")
    assert caught.value.hint == "remove x.json; it will be made again"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[1]", '"word"', "[" * 99999,
        '{"format": "mergebot.other", "version": 1}',
        '{"format": "mergebot.note"}',
        '{"format": "mergebot.note", "version": true}',
        '{"format": "mergebot.note", "version": "2"}',
        '{"format": "mergebot.note", "version": 0}',
        '{"format": "mergebot.note", "version": 1.0}',
    ],
)  # fmt: skip
def test_what_is_no_such_document_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match=r"^x "):
        NOTE.parse(text, where="x")


def test_a_number_that_is_not_finite_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        NOTE.dump({"a": float("nan")})
