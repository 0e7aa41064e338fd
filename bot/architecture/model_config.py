"""Reading ``config.json``: a stranger's file, taken as data and never as code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.checkpoint.source import Source
from bot.checkpoint.untrusted_json import parse_object
from bot.errors import CheckpointError, Problem
from bot.recipe.strict_yaml import shorten

JsonObject = dict[str, Any]

LAYER_KEYS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
TEXT_SECTIONS = ("text_config", "llm_config", "language_config")
_EXPORT_AGAIN = "download the model again, or save it once more with save_pretrained"
_SIZE_CAP = 4 << 20
_CODE_KEYS = frozenset({"auto_map", "custom_pipelines", "model_file", "trust_remote_code"})


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
    place = f"{path} of {label}"
    if len(data) > cap:
        raise CheckpointError(
            f"{place} has {len(data)} bytes; at most {cap} are read", hint=_EXPORT_AGAIN
        )
    return parse_object(data, place, _EXPORT_AGAIN)


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


def refusals(config: Mapping[str, Any], label: str, file: str = "config.json") -> Iterator[Problem]:
    """What in a config file stands in the way of a merge, wherever it is nested."""
    for path, key in _keys(config):
        if key in _CODE_KEYS:
            yield Problem(
                message=f"{file} of {label} asks for code from its repository ({_dotted(path)})",
                hint="remote code is never run; use a copy of the model in a format that "
                "transformers supports by itself, without that key",
            )
        elif key == "quantization_config":
            yield Problem(
                message=f"{label} is quantized ({_dotted(path)} in its {file})",
                hint="merge the full-precision model and quantize the result",
            )


def _keys(config: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every (path, key) with a value that is set, at any depth."""
    stack: list[tuple[Any, tuple[str, ...]]] = [(config, ())]
    while stack:
        node, at = stack.pop()
        if isinstance(node, dict):
            for key, child in node.items():
                below = (*at, key)
                if child is not None:
                    yield below, key
                    stack.append((child, below))
        elif isinstance(node, list):
            stack += [(child, (*at, f"[{index}]")) for index, child in enumerate(node)]


def _dotted(path: Sequence[str]) -> str:
    return shorten(".".join(path).replace(".[", "["))


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
