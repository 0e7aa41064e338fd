from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from leaderboard.board_errors import RecordError
from leaderboard.record import (
    SCHEMA_FILE,
    Record,
    dump_record,
    json_schema_text,
    parse_record,
)
from tests.leaderboard.samples import failed_record, record_of

RECORD = record_of()
SCHEMA = json.loads(SCHEMA_FILE.read_text("utf-8"))


@pytest.mark.parametrize("record", [RECORD, failed_record()], ids=["ok", "failed"])
def test_a_record_survives_writing_and_reading(record: Record) -> None:
    text = dump_record(record)
    assert parse_record(text) == record
    assert dump_record(parse_record(text)) == text
    Draft202012Validator(SCHEMA).validate(json.loads(text))


def test_the_committed_schema_is_the_models_own() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA_FILE.read_text("utf-8") == json_schema_text()


@pytest.mark.parametrize("key", ["version", "schema_version"])
@pytest.mark.parametrize("version", [3, "1", None, True, 1.5])
def test_other_versions_are_refused_by_name(key: str, version: object) -> None:
    content = json.loads(dump_record(RECORD)) | {key: version}
    if key == "schema_version":  # as records of version 1 say which they are
        del content["format"]
    says = "schema_version: Extra inputs" if key == "schema_version" else repr(version)
    with pytest.raises(RecordError, match=re.escape(says)) as caught:
        parse_record(json.dumps(content), where="a.json")
    assert "a.json" in caught.value.message
    assert (caught.value.hint == "upgrade mergebot") == (version == 3 and key == "version")
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "[1]", "no", "[" * 100_000, b"\xff\xfe"])
def test_what_is_not_json_is_refused(text: bytes | str) -> None:
    with pytest.raises(RecordError, match=r"is not (JSON|a JSON object)"):
        parse_record(text)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["surprise"], 1, "surprise: Extra inputs"),
        (["created"], "yesterday", "created: String should match"),
        (["run_key"], "../../etc/passwd", "run_key: String should match"),
        (["parents", 0, "weigth"], "0.4", "parents.0.weigth: Extra inputs"),
        (["suites", 0, "tasks", 0, "scores", "base", "value"], 68.4, "less than or equal to 1"),
        (["suites", 0, "tasks", 0, "scores", "base", "value"], float("nan"), "finite"),
        (["suites", 0, "tasks", 0, "n"], "200", "valid integer"),
        (["status"], "fine", "'ok' or 'failed'"),
        (["status"], "failed", "needs `failure`"),
        (["model_digest"], None, "needs `model_digest`"),
        (["model_digest"], "another", "models not in the record"),
    ],
)
def test_a_broken_field_is_named(path: list[str | int], value: object, says: str) -> None:
    content = json.loads(dump_record(RECORD))
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(RecordError) as caught:
        parse_record(json.dumps(content))
    assert says in caught.value.message


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        RECORD.name = "other"


def test_parents_and_suites_are_found_by_name() -> None:
    assert RECORD.parent("base").role == "base"
    assert RECORD.suite("skills") is RECORD.suites[0]
    assert RECORD.suite("other") is None
    with pytest.raises(KeyError):
        RECORD.parent("stranger")


def test_lists_are_taken_for_tuples_when_built() -> None:
    assert Record.model_validate(RECORD.model_dump() | {"tags": ["a"]}).tags == ("a",)
