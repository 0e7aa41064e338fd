"""The canonical form of a recipe, its hash, and the merge key and run key.

The canonical form is a recipe in the same grammar, written as JSON with sorted keys; parsing it
gives the same merge. It leaves out everything that changes no weight: names, descriptions,
licenses, authors, tags, comments, order of keys, and values left at their defaults.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bot.recipe.recipe import (
    ModelInput,
    ModelRef,
    Parameters,
    Recipe,
    Schedule,
    ScheduleRow,
    Slice,
    TokenizerChoice,
    TokenRule,
)


def canonical_recipe(recipe: Recipe, *, with_suites: bool = False) -> dict[str, Any]:
    """The recipe's canonical form as plain data, in the recipe grammar."""
    form: dict[str, Any] = {
        "merge_method": recipe.merge_method,
        "models": [_input(item) for item in recipe.models or ()],
        "slices": [_slice(part) for part in recipe.slices or ()],
        "base_model": recipe.base_model and reference_form(recipe.base_model),
        "parameters": _parameters(recipe.parameters),
        "dtype": recipe.dtype,
        "out_dtype": recipe.out_dtype,
        "tokenizer": recipe.tokenizer and _tokenizer(recipe.tokenizer),
        "chat_template": recipe.chat_template,
        "seed": recipe.seed,
        "suites": sorted(recipe.about.suites) if with_suites else [],
    }
    return _without_defaults(form)


def canonical_json(form: object) -> str:
    """The one JSON text of plain data: sorted keys, no spaces, shortest exact floats.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(
        form, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def recipe_hash(recipe: Recipe, *, with_suites: bool = False) -> str:
    """SHA-256 of the canonical recipe, 64 hex digits."""
    return _digest(canonical_recipe(recipe, with_suites=with_suites))


def merge_key(recipe: Recipe, pins: Mapping[ModelRef, str], engine_version: str) -> str:
    """The key of the weights that this recipe makes from these parents with this engine.

    Args:
        recipe: its suites are left out.
        pins: the commit SHA or content digest of every reference of the recipe.
        engine_version: changes whenever the engine would write other bytes.

    Returns:
        64 hex digits.
    """
    parents = [[reference_form(ref), pins[ref]] for ref in sorted(recipe.references(), key=str)]
    return _digest(
        {"recipe": canonical_recipe(recipe), "parents": parents, "engine": engine_version}
    )


def run_key(merge: str, suite_digests: Mapping[str, str]) -> str:
    """The key of one run: these weights, evaluated with these suites; 64 hex digits."""
    return _digest({"merge": merge, "suites": dict(suite_digests)})


def reference_form(reference: ModelRef) -> str | dict[str, Any]:
    """A reference as a recipe writes it: text, or a mapping where text would be ambiguous."""
    parts = (reference.path, reference.lora.path if reference.lora else "")
    if not any("@" in path or "+" in path for path in parts):
        return str(reference)
    form = {"model": _path_form(reference)}
    if reference.lora:
        form["lora"] = _path_form(reference.lora)
    return form


def _path_form(reference: ModelRef) -> dict[str, Any]:
    form = {"path": reference.path, "revision": reference.revision}
    return _without_defaults(form)


def _input(item: ModelInput) -> dict[str, Any]:
    form = {
        "model": reference_form(item.model),
        "layer_range": list(item.layer_range) if item.layer_range else None,
        "parameters": _parameters(item.parameters),
    }
    return _without_defaults(form)


def _slice(part: Slice) -> dict[str, Any]:
    form = {
        "sources": [_input(item) for item in part.sources],
        "base_model": part.base_model and reference_form(part.base_model),
        "parameters": _parameters(part.parameters),
    }
    return _without_defaults(form)


def _parameters(parameters: Parameters) -> dict[str, Any]:
    return {name: _schedule(schedule) for name, schedule in parameters.items()}


def _schedule(schedule: Schedule) -> Any:
    if len(schedule.rows) == 1 and schedule.rows[0].filter is None:
        return _value(schedule.rows[0])
    return [
        {"value": _value(row)} | ({} if row.filter is None else {"filter": row.filter})
        for row in schedule.rows
    ]


def _value(row: ScheduleRow) -> Any:
    return list(row.value) if isinstance(row.value, tuple) else row.value


def _tokenizer(choice: TokenizerChoice) -> dict[str, Any]:
    source = choice.source
    form = {
        "source": source if isinstance(source, str) else reference_form(source),
        "tokens": {rule.token: _token_rule(rule) for rule in choice.tokens},
        "pad_to_multiple_of": choice.pad_to_multiple_of,
    }
    return _without_defaults(form)


def _token_rule(rule: TokenRule) -> dict[str, Any]:
    form: dict[str, Any] = {"force": True} if rule.force else {}
    if rule.zero:
        form["source"] = {"kind": "zero"}
    elif rule.source and rule.source_token is None and rule.source_token_id is None:
        form["source"] = reference_form(rule.source)
    elif rule.source:
        form["source"] = _without_defaults(
            {
                "kind": "model_token",
                "model": reference_form(rule.source),
                "token": rule.source_token,
                "token_id": rule.source_token_id,
            }
        )
    return form


def _without_defaults(form: dict[str, Any]) -> dict[str, Any]:
    """Drop absent values and defaults; the 0 of ``token_id`` and ``layer_range`` is kept."""
    return {
        key: value
        for key, value in form.items()
        if not (value is None or value in ([], {}) or (key == "seed" and value == 0))
    }


def _digest(form: object) -> str:
    return hashlib.sha256(canonical_json(form).encode("utf-8")).hexdigest()
