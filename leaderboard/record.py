"""The record of a run: one immutable JSON document, versioned, and the only thing a board reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from leaderboard.board_errors import RecordError
from leaderboard.migrations import RECORD
from leaderboard.record_base import FileKey, Instant, Key, Many, RecordModel, Short, Text
from leaderboard.record_provenance import (
    Attempts,
    Check,
    EngineFacts,
    Failure,
    FileFacts,
    Flag,
    License,
    Lineage,
    LineageEdge,
    LineageNode,
    Links,
    ModelFacts,
    Parent,
    Publication,
    RecipeFacts,
    Relation,
    Retraction,
    Sweep,
)
from leaderboard.record_results import (
    Comparison,
    Difference,
    Discordant,
    Headline,
    NonInferiority,
    Score,
    Settings,
    SuiteResult,
    TaskDifference,
    TaskResult,
)

SCHEMA_FILE = Path(__file__).with_name("record.schema.json")


class Record(RecordModel):
    """What a run did and found.

    The model itself is named by ``model_digest`` in every table of scores; its parents by their
    ``key``. A failed run has no digest, model facts or suites, but says in ``failure`` why.
    ``retraction`` is never written into a run's own file: the store joins it from its own record.
    """

    format: Literal["mergebot.record"] = "mergebot.record"
    version: Literal[2] = 2
    run_key: FileKey
    merge_key: Key
    model_digest: Key | None = None
    name: Short
    title: Text | None = None
    description: Text | None = None
    authors: Many[Text] = ()
    tags: Many[Text] = ()
    license: License | None = None
    created: Instant
    status: Literal["ok", "failed"] = "ok"
    failure: Failure | None = None
    recipe: RecipeFacts
    parents: Many[Parent] = ()
    lineage: Lineage = Lineage()
    model: ModelFacts | None = None
    files: dict[str, FileFacts] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    machine: dict[str, str] = Field(default_factory=dict)
    engine: EngineFacts | None = None
    checks: Many[Check] = ()
    suites: Many[SuiteResult] = ()
    attempts: Attempts | None = None
    flags: Many[Flag] = ()
    publication: Publication | None = None
    retraction: Retraction | None = None
    links: Links = Links()

    @model_validator(mode="after")
    def _status_is_told(self) -> Self:
        if self.status == "failed" and self.failure is None:
            raise ValueError("a failed run needs `failure` with its stage and message")
        if self.status == "ok" and (self.model_digest is None or self.model is None):
            raise ValueError("a run that is ok needs `model_digest` and `model`")
        return self

    @model_validator(mode="after")
    def _scores_name_known_models(self) -> Self:
        known = {parent.key for parent in self.parents} | {self.model_digest}
        for suite in self.suites:
            named = set(suite.headline) | {comparison.parent for comparison in suite.comparisons}
            for task in suite.tasks:
                named |= set(task.scores)
            if strangers := sorted(named - known):
                raise ValueError(
                    f"suite {suite.suite} scores models not in the record: {strangers}"
                )
        return self

    def parent(self, key: str) -> Parent:
        """The parent with this key. Raises KeyError when the record has none."""
        return {parent.key: parent for parent in self.parents}[key]

    def parent_names(self) -> dict[str, str]:
        """The parents' names by key; parents that are identical share one, ``a = b``."""
        names: dict[str, list[str]] = {}
        for parent in self.parents:
            if parent.name not in names.setdefault(parent.key, []):
                names[parent.key].append(parent.name)
        return {key: " = ".join(sorted(found)) for key, found in names.items()}

    def suite(self, name: str) -> SuiteResult | None:
        """The result of the suite with this name, None if it was not run."""
        return next((suite for suite in self.suites if suite.suite == name), None)


def parse_record(text: str | bytes, *, where: str = "record") -> Record:
    """Read a record; one of an older version is brought to the current one.

    Raises RecordError for a newer version or a broken form.

    Args:
        text: the JSON document.
        where: the file it came from, for messages.
    """
    content = RECORD.parse(text, where=where)
    try:
        return Record.model_validate_json(json.dumps(RECORD.mark(content)))
    except ValidationError as error:
        raise RecordError(
            f"{where} is not a valid record:\n{explain(error)}",
            hint="restore the file from the run's folder, or run the recipe again",
        ) from error


def dump_record(record: Record) -> str:
    """The record as canonical JSON: format and version, then sorted keys, two spaces deep."""
    return RECORD.dump(record.model_dump(mode="json", exclude={"format", "version"}))


def explain(error: ValidationError) -> str:
    """A pydantic error as lines `field.path: what is wrong`, without the values."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"]) or "(whole record)"
        lines.append(f"  {place}: {problem['msg']}")
    return "\n".join(lines)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a record, as committed in ``record.schema.json``."""
    schema = Record.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:mergebot:record:{RECORD.version}",
        **schema,
    }


def json_schema_text() -> str:
    """The text of the committed schema file."""
    return json.dumps(json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


__all__ = [
    "SCHEMA_FILE",
    "Attempts",
    "Check",
    "Comparison",
    "Difference",
    "Discordant",
    "EngineFacts",
    "Failure",
    "FileFacts",
    "Flag",
    "Headline",
    "License",
    "Lineage",
    "LineageEdge",
    "LineageNode",
    "Links",
    "ModelFacts",
    "NonInferiority",
    "Parent",
    "Publication",
    "RecipeFacts",
    "Record",
    "Relation",
    "Retraction",
    "Score",
    "Settings",
    "SuiteResult",
    "Sweep",
    "TaskDifference",
    "TaskResult",
    "dump_record",
    "explain",
    "json_schema",
    "json_schema_text",
    "parse_record",
]
