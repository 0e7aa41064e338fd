"""What the Hub documents about a model card's metadata, as a JSON Schema.

Built from the fields, license identifiers and relations that https://huggingface.co/docs/hub lists
under "Model Cards"; ``front_matter.schema.json`` is its committed text.
"""

from __future__ import annotations

import json
from typing import Any

from bot.lineage import license_terms as rules
from bot.lineage.front_matter import LANGUAGE, PIPELINE

RELATIONS = ("adapter", "merge", "quantized", "finetune")
LICENSES = tuple(
    sorted(
        {
            *rules.PERMISSIVE, *rules.COPYLEFT, *rules.RAIL, *rules.COMMUNITY,
            *rules.NONCOMMERCIAL, *rules.NO_DERIVATIVES, *rules.FAMILY_NAMES, "unknown", "other",
        }
    )
)  # fmt: skip

TEXT = {"type": "string", "minLength": 1, "pattern": r"^[^\n\r]*$"}
REPOSITORY = {
    "type": "string",
    "maxLength": 96,
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$",
}
LANGUAGE_CODE = {"type": "string", "pattern": f"^({LANGUAGE.pattern})$"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


def _object(required: tuple[str, ...], **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def front_matter_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the metadata of a merge's card."""
    metric = _object(
        ("type", "value"), type=TEXT, value={"type": ["number", "string"]}, name=TEXT, config=TEXT
    )
    dataset = _object(
        ("type", "name"), name=TEXT, type=TEXT, config=TEXT, split=TEXT, revision=TEXT
    )
    result = _object(
        ("task", "dataset", "metrics"),
        task=_object(("type",), type={"const": PIPELINE}, name=TEXT),
        dataset=dataset,
        metrics={"type": "array", "items": metric, "minItems": 1},
        source=_object(("url",), url=TEXT, name=TEXT),
    )
    index = _object(
        ("name", "results"), name=TEXT, results={"type": "array", "items": result, "minItems": 1}
    )
    schema = _object(
        ("base_model_relation", "library_name", "tags"),
        base_model=_list(REPOSITORY),
        base_model_relation={"enum": list(RELATIONS)},
        new_version=REPOSITORY,
        library_name=TEXT,
        pipeline_tag={"const": PIPELINE},
        language=_list(LANGUAGE_CODE),
        license={"enum": list(LICENSES)},
        license_name=TEXT,
        license_link=TEXT,
        tags=_list(TEXT),
        **{"model-index": {"type": "array", "items": index, "minItems": 1, "maxItems": 1}},
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:mergebot:front-matter:1",
        **schema,
        # A license the Hub does not list needs a name of its own.
        "if": {"properties": {"license": {"const": "other"}}, "required": ["license"]},
        "then": {"required": ["license_name"]},
    }


def front_matter_schema_text() -> str:
    """The text of the committed schema file."""
    return json.dumps(front_matter_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
