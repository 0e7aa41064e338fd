"""Reading model cards the way the Hub does: front matter, tags, ancestry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import yaml

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_RELATIONS = frozenset({"merge", "finetune", "adapter", "quantized"})
_LIST_OR_TEXT = ("base_model", "tags", "language", "datasets")


def front_matter(readme: str) -> dict[str, object]:
    """The card's metadata; empty when the card has none or it is not readable."""
    try:
        found = _parse(readme)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def card_problems(readme: str) -> tuple[list[str], list[str]]:
    """(errors, warnings) that the Hub would give for a README with this content."""
    try:
        found = _parse(readme)
    except yaml.YAMLError as error:
        return [f"YAML metadata is not valid: {error}"], []
    if found is None:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(found, dict):
        return ["YAML metadata must be a mapping"], []
    problems = [
        f'"{key}" must be a string or a list of strings'
        for key in _LIST_OR_TEXT
        if key in found and not _is_texts(found[key])
    ]
    relation = found.get("base_model_relation")
    if relation is not None and relation not in _RELATIONS:
        problems.append(f'"base_model_relation" must be one of [{", ".join(sorted(_RELATIONS))}]')
    if "license" in found and not isinstance(found["license"], str | list):
        problems.append('"license" must be a string')
    return problems, []


def card_tags(card: Mapping[str, object]) -> list[str]:
    """The repository's tags: the card's own and those the Hub derives from its fields."""
    tags = texts(card.get("tags"))
    for key in ("library_name", "pipeline_tag"):
        tags += [text for text in texts(card.get(key)) if text not in tags]
    tags += texts(card.get("language"))
    for key, prefix in (("datasets", "dataset"), ("license", "license")):
        tags += [f"{prefix}:{text}" for text in texts(card.get(key))]
    parents = texts(card.get("base_model"))
    tags += [f"base_model:{parent}" for parent in parents]
    relation = card.get("base_model_relation")
    if isinstance(relation, str):
        tags += [f"base_model:{relation}:{parent}" for parent in parents]
    return list(dict.fromkeys([*tags, "region:us"]))


def base_models(card: Mapping[str, object]) -> dict[str, object] | None:
    """The `baseModels` field of a model's info."""
    parents = texts(card.get("base_model"))
    if not parents:
        return None
    relation = card.get("base_model_relation") or ("merge" if len(parents) > 1 else "finetune")
    return {"relation": relation, "models": [{"id": parent} for parent in parents]}


def texts(value: object) -> list[str]:
    """A field that may be one text or a list of them, as a list."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def parse_yaml(text: str) -> object:
    """YAML as the JSON the Hub answers with: dates become texts, what is not a number null.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    try:
        found = json.dumps(yaml.safe_load(text), default=str, skipkeys=True)
    except (ValueError, RecursionError) as error:
        raise yaml.YAMLError(str(error)) from error
    return json.loads(found, parse_constant=lambda _: None)


def _parse(readme: str) -> object:
    match = _FRONT_MATTER.match(readme)
    return parse_yaml(match.group(1)) if match else None


def _is_texts(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str)
