"""Reading ``config.json``: an untrusted file, taken as data and never as code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bot.checkpoint.source import Source
from bot.checkpoint.untrusted_json import parse_object
from bot.errors import CheckpointError

JsonObject = dict[str, Any]

LAYER_KEYS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
TEXT_SECTIONS = ("text_config", "llm_config", "language_config")
_EXPORT_AGAIN = "download the model again, or save it once more with save_pretrained"
_SIZE_CAP = 4 << 20


def read_json_object(source: Source, path: str, label: str, *, cap: int) -> JsonObject | None:
    """A side file that holds one JSON object, or None when the model has no such file.

    Args:
        source: the model.
        path: the file's name inside the model.
        label: how messages call the model.
        cap: greatest size in bytes.

    Raises:
        CheckpointError: not UTF-8 JSON, not an object, too large, nested too deeply, or with text
            that is none.
    """
    data = source.file(path)
    if data is None:
        return None
    return parse_object(data, f"{path} of {label}", _EXPORT_AGAIN, cap=cap)


def read_config(source: Source, label: str) -> JsonObject:
    """The model's ``config.json``.

    Raises:
        CheckpointError: it is missing or not one JSON object.
    """
    config = read_json_object(source, "config.json", label, cap=_SIZE_CAP)
    if config is None:
        raise CheckpointError(
            f"{label} has no config.json",
            hint="merges need models in the Hugging Face layout: config.json and safetensors",
        )
    return config


def text_section(config: JsonObject) -> JsonObject:
    """The part that describes the language model: the config itself or a nested section."""
    for name in TEXT_SECTIONS:
        section = config.get(name)
        if isinstance(section, dict) and section:
            return section
    return config


def layer_key(section: Mapping[str, Any]) -> str | None:
    """The key that holds the number of layers, as this architecture calls it."""
    return next((key for key in LAYER_KEYS if _is_count(section.get(key))), None)


def layer_count(config: JsonObject) -> int | None:
    """How many layers the config promises, if it says so."""
    section = text_section(config)
    key = layer_key(section)
    return int(section[key]) if key else None


def ties_embeddings(config: JsonObject) -> bool | None:
    """Whether the head is the embedding; None when the config leaves it to the architecture."""
    for section in (config, text_section(config)):
        value = section.get("tie_word_embeddings")
        if isinstance(value, bool):
            return value
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def write_json(value: Mapping[str, Any]) -> bytes:
    """A side file's bytes: two spaces of indent, keys in their order, UTF-8, final newline."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
