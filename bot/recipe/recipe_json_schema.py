"""The grammar as a JSON Schema, for editors that complete and check YAML.

It accepts every recipe and every sweep that the parser accepts, but for a list of one sweep whose
values are numbers and rows mixed. What a schema cannot say (counts of models, equal layer ranges,
missing per-model values, what only some combination of sweeps makes wrong) only the parser reports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.recipe import (
    metadata,
    model_reference,
    models_and_slices,
    sweep,
    tokenizer_settings,
    top_level,
)
from bot.recipe.method_signature import Parameter, Signature
from bot.recipe.read_parameters import IGNORED

Schema = dict[str, Any]

_ID = model_reference.HUB_ID.pattern.replace(r"\w", "A-Za-z0-9_")
_REVISION = model_reference.REVISION.pattern.replace(r"\w", "A-Za-z0-9_")
_ONE = rf"(?:[./~][^+@]*|{_ID}(?:@{_REVISION})?)"


def recipe_schema(signatures: Mapping[str, Signature]) -> Schema:
    """A JSON Schema (draft 2020-12) of recipes with these methods."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mergebot recipe",
        "type": "object",
        "required": ["merge_method"],
        "properties": _top_properties(signatures),
        "additionalProperties": False,
        "oneOf": [_present("models"), _present("slices")],
        "allOf": [_rules_of(signatures[name]) for name in sorted(signatures)],
        "$defs": _definitions() | _all_parameters(signatures),
    }


def _top_properties(signatures: Mapping[str, Signature]) -> Schema:
    dtypes = [*top_level.DTYPES, *(f"torch.{name}" for name in top_level.DTYPES)]
    properties = {
        "models": {"type": "array", "items": _to("model")},
        "slices": {"type": "array", "minItems": 1, "items": _to("slice")},
        "base_model": _to("reference"),
        "parameters": {"type": "object"},
        "dtype": {"enum": dtypes},
        "out_dtype": {"enum": dtypes},
        "tokenizer_source": _to("tokenizer_source"),
        "tokenizer": _to("tokenizer"),
        "chat_template": _chat_template(),
        "seed": {"type": "integer", "minimum": 0, "maximum": top_level.GREATEST_SEED},
        **_about_properties(),
    }
    optional = {key: _or_null(value) for key, value in properties.items()}
    return {"merge_method": {"enum": sorted(signatures)}, **optional}


def _about_properties() -> Schema:

    return {
        "name": _word(metadata.NAME.pattern),
        "description": {"type": "string", "maxLength": metadata.LONGEST_DESCRIPTION},
        "license": _word(metadata.LICENSE.pattern),
        "authors": _texts(
            {"type": "string", "maxLength": metadata.LONGEST_AUTHOR}, metadata.MOST_AUTHORS
        ),
        "tags": _texts({"type": "string", "maxLength": 64}, metadata.MOST_TAGS),
        "suites": _texts(_word(metadata.NAME.pattern), metadata.MOST_SUITES),
    }


def _texts(item: Schema, most: int) -> Schema:
    return {"type": "array", "items": item, "maxItems": most}


def _chat_template() -> Schema:
    jinja = {"type": "string", "minLength": tokenizer_settings.SHORTEST_TEMPLATE, "pattern": r"\{"}
    return {"anyOf": [{"enum": list(tokenizer_settings.CHAT_TEMPLATES)}, jinja]}


def _definitions() -> Schema:
    path = _closed({"path": {"type": "string"}, "revision": _or_null({"type": "string"})}, ["path"])
    part = {"anyOf": [{"type": "string"}, path]}
    parameters = _or_null({"type": "object"})
    reference = _to("reference")
    layers = {"type": "integer", "minimum": 0, "maximum": models_and_slices.MOST_LAYERS}
    layer_range = {"type": "array", "items": layers, "minItems": 2, "maxItems": 2}
    source = {"model": reference, "layer_range": layer_range, "parameters": parameters}
    return {
        "reference": {
            "anyOf": [
                {"type": "string", "pattern": rf"^{_ONE}(?:\+{_ONE})?$"},
                _closed({"model": part, "lora": _or_null(part)}, ["model"]),
            ]
        },
        "model": _closed({"model": reference, "parameters": parameters}, ["model"]),
        "source": _closed(source, ["model", "layer_range"]),
        "slice": _closed(
            {
                "sources": {"type": "array", "items": _to("source")},
                "base_model": _or_null(reference),
                "parameters": parameters,
            },
            ["sources"],
        ),
        "tokenizer_source": {"anyOf": [{"enum": ["union", "base"]}, reference]},
        "tokenizer": _tokenizer(),
        "token_rule": _token_rule(reference),
    }


def _tokenizer() -> Schema:
    padding = {"type": "integer", "minimum": 1, "maximum": tokenizer_settings.MOST_PADDING}
    tokens = {"type": "object", "additionalProperties": _to("token_rule")}
    properties: Schema = {
        "source": _to("tokenizer_source"),
        "tokens": tokens,
        "pad_to_multiple_of": padding,
    }
    return _closed({key: _or_null(value) for key, value in properties.items()}, [])


def _token_rule(reference: Schema) -> Schema:
    zero = _closed({"kind": {"const": "zero"}}, ["kind"])
    token_id = {"type": "integer", "minimum": 0, "maximum": tokenizer_settings.MOST_TOKEN_ID}
    properties = {
        "kind": {"const": "model_token"},
        "model": reference,
        "token": _or_null({"type": "string"}),
        "token_id": _or_null(token_id),
    }
    model_token = _closed(properties, ["kind", "model"])
    source = {"anyOf": [zero, model_token, reference, {"type": "null"}]}
    rule = _closed({"source": source, "force": _or_null({"type": "boolean"})}, [])
    return _or_null(rule)


def _rules_of(signature: Signature) -> Schema:
    """What holds once ``merge_method`` names this method."""
    merge, model = (
        {"properties": {"parameters": _to(f"{signature.name}.{level}.swept")}}
        for level in ("merge", "model")
    )
    slice_ = {"properties": merge["properties"] | {"sources": {"items": model}}}
    then: Schema = {
        "properties": merge["properties"]
        | {"models": {"items": model}, "slices": {"items": slice_}},
    }
    if signature.base == "required":
        then |= {"if": _present("models"), "then": _present("base_model")}
    return {"if": {"properties": {"merge_method": {"const": signature.name}}}, "then": then}


def _all_parameters(signatures: Mapping[str, Signature]) -> Schema:
    """Per method what may stand in ``parameters``; parameters of one kind and range share a
    schedule.
    """
    owned = [(one.name, param) for one in signatures.values() for param in one.parameters]
    names: dict[str, str] = {}
    found: Schema = {}
    for owner, param in [("any", IGNORED), *owned]:
        kind = json.dumps(_scalar(param))
        if kind not in names:
            names[kind] = f"{owner}.{param.name}"
            found |= _schedule(param, names[kind])
    for signature in signatures.values():
        found |= _parameters(signature, names)
    return found


def _parameters(signature: Signature, names: Mapping[str, str]) -> Schema:
    """What may stand in ``parameters`` of recipe and slices ("merge"), and of one model."""
    merge: Schema = {}
    for param in (IGNORED, *signature.parameters):
        described = {"description": param.description} if param.description else {}
        merge[param.name] = described | _to(f"{names[json.dumps(_scalar(param))]}.schedule")
    once = {param.name for param in signature.parameters if param.scope == "global"}
    model = {name: value for name, value in merge.items() if name not in once}
    found: Schema = {}
    for level, properties in (("merge", merge), ("model", model)):
        name = f"{signature.name}.{level}"
        found[name] = {"properties": properties, "additionalProperties": False}
        found[f"{name}.swept"] = _swept_whole(_to(name))
    return found


def _schedule(param: Parameter, name: str) -> Schema:
    """Definitions of a parameter's schedule: without sweeps, and with sweeps in its parts."""
    scalar, text = _scalar(param), _or_null({"type": "string"})
    value, row, swept_row = _to(f"{name}.value"), _to(f"{name}.row"), _to(f"{name}.swept_row")
    whole, swept_value = _to(f"{name}.whole"), _values(param, _or_sweep_of(scalar))
    in_swept_row = {"anyOf": [*swept_value, _sweep_of(value)]}
    swept_rows = _rows({"anyOf": [swept_row, _sweep_of(row)]})
    return {
        f"{name}.value": {"anyOf": _values(param, scalar)},
        f"{name}.row": _row(value, text),
        f"{name}.whole": {"anyOf": [value, row, _rows(row)]},
        f"{name}.swept_row": _row(in_swept_row, _or_sweep_of(text)),
        f"{name}.schedule": {"anyOf": [*swept_value, swept_row, swept_rows, _sweep_of(whole)]},
    }


def _values(param: Parameter, in_gradient: Schema) -> list[Schema]:
    """A plain value, or a gradient where the parameter takes one."""
    gradient = {"type": "array", "items": in_gradient, "minItems": 1}
    return [_scalar(param), gradient] if param.kind == "float" else [_scalar(param)]


def _row(value: Schema, text: Schema) -> Schema:
    return _closed({"value": value, "filter": text}, ["value"])


def _rows(row: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": row}


def _swept_whole(parameters: Schema) -> Schema:
    """A ``parameters`` block, or a sweep of whole blocks."""
    swept = {"type": "object", "required": [sweep.KEY]}
    return {"if": swept, "then": _sweep_of(_or_null(parameters)), "else": parameters}


def _or_sweep_of(value: Schema) -> Schema:
    return {"anyOf": [value, _sweep_of(value)]}


def _sweep_of(value: Schema) -> Schema:
    values = {"type": "array", "minItems": 1, "uniqueItems": True, "items": value}
    return _closed({sweep.KEY: values}, [sweep.KEY])


def _to(definition: str) -> Schema:
    return {"$ref": f"#/$defs/{definition}"}


def _scalar(param: Parameter) -> Schema:
    if param.kind == "bool":
        return {"enum": [True, False, 0, 1]}
    if param.kind == "choice":
        switch = [True, False, 0, 1] if "true" in param.choices else []
        return {"enum": [*param.choices, *switch]}
    bounds: Schema = {"type": "number" if param.kind == "float" else "integer"}
    if param.minimum is not None:
        bounds["exclusiveMinimum" if param.minimum_excluded else "minimum"] = param.minimum
    if param.maximum is not None:
        bounds["exclusiveMaximum" if param.maximum_excluded else "maximum"] = param.maximum
    return bounds


def _closed(properties: Schema, required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _present(key: str) -> Schema:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _or_null(value: Schema) -> Schema:
    return {"anyOf": [value, {"type": "null"}]}


def _word(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}
