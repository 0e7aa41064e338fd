"""What a model's config files may not hold: code by another name, and values of the wrong shape.

A config key can be code. ``auto_map`` names Python files of the repository; ``attn_implementation:
org/kernel`` makes transformers fetch and load a compiled kernel from the Hub; other keys name
pipelines, tokenizers or repositories to load from. None of these is ever run, and none is written
into an output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.checkpoint.untrusted_json import shown
from bot.errors import Problem

CONFIG_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "image_processor_config.json",
    "video_preprocessor_config.json",
)
"""Files whose keys transformers interprets."""

_CODE_KEYS = frozenset(
    {
        "auto_map", "code_paths", "code_revision", "custom_code", "custom_generate",
        "custom_objects", "custom_pipeline", "custom_pipelines", "model_file", "remote_code",
        "trust_remote_code",
    }
)  # fmt: skip
"""Keys that ask for code whatever their value is."""
_SOURCE_WORDS = frozenset(
    {
        "backbone", "hub", "implementation", "implementations", "kernel", "kernels", "remote",
        "repo", "repos", "repositories", "repository", "uri", "url", "urls",
    }
)  # fmt: skip
"""Words of keys that choose where something is loaded from; their values must be plain words."""
_IMPLEMENTATION_WORDS = frozenset({"implementation", "implementations"})
_KEPT_IMPLEMENTATIONS = frozenset({"cache_implementation"})  # a plain word, part of the behavior
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_CODE_REFERENCE = re.compile(r"[\w.-]+/[\w.-]+--[\w.-]+")
"""``org/name--module.Class``: how transformers writes a class of another repository."""
_CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_COUNTS = (
    "num_hidden_layers", "n_layer", "num_layers", "n_layers", "hidden_size", "n_embd", "d_model",
    "vocab_size", "max_position_embeddings",
)  # fmt: skip
_LARGEST_COUNT = 1 << 40

Path = tuple[str, ...]


def refusals(config: Mapping[str, Any], label: str, file: str = "config.json") -> Iterator[Problem]:
    """What in a config file stands in the way of a merge, wherever it is nested.

    Args:
        config: the parsed file.
        label: how messages call the model.
        file: the file's name.
    """
    for path, value in _entries(config):
        if _asks_for_code(path, value):
            yield Problem(
                message=f"{file} of {label} asks for code from a repository "
                f"({_dotted(path)}: {shown(value)})",
                hint="remote code is never run; use a copy of the model in a format that "
                "transformers supports by itself, without that key",
            )
        elif path[-1] == "quantization_config":
            yield Problem(
                message=f"{label} is quantized ({_dotted(path)} in its {file})",
                hint="merge the full-precision model and quantize the result",
            )
    if file == "config.json":
        yield from _odd_values(config, label)


def without_sources(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without the keys that choose an implementation or ask for code, at any depth.

    ``attn_implementation: eager`` is harmless and belongs to its author's machine.
    """
    return {key: _cleaned(value) for key, value in config.items() if not _is_left_out(key)}


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return without_sources(value)
    return [_cleaned(item) for item in value] if isinstance(value, list) else value


def _is_left_out(key: str) -> bool:
    if key in _KEPT_IMPLEMENTATIONS:
        return False
    words = _words(key)
    return "_".join(words) in _CODE_KEYS or not _IMPLEMENTATION_WORDS.isdisjoint(words)


def _words(key: str) -> list[str]:
    """``_attnImplementation`` is ``attn``, ``implementation``."""
    return [word.lower() for word in _WORD.findall(key)]


def _asks_for_code(path: Path, value: Any) -> bool:
    words = _words(path[-1])
    if "_".join(words) in _CODE_KEYS:
        return True
    if isinstance(value, str) and _CODE_REFERENCE.fullmatch(value):
        return True
    if _SOURCE_WORDS.isdisjoint(words):
        return False
    return any(not _PLAIN_WORD.fullmatch(text) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, at any depth."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every (path, value) with a key and a value that is set, at any depth."""
    stack: list[tuple[Any, Path]] = [(config, ())]
    while stack:
        node, at = stack.pop()
        if isinstance(node, dict):
            for key, child in node.items():
                if child is not None:
                    yield (*at, key), child
                    stack.append((child, (*at, key)))
        elif isinstance(node, list):
            stack += [(child, (*at, f"[{index}]")) for index, child in enumerate(node)]


def _dotted(path: Sequence[str]) -> str:
    return shown(".".join(path).replace(".[", "["))[1:-1]


def _odd_values(config: Mapping[str, Any], label: str) -> Iterator[Problem]:
    """Sizes that are no counts, and architectures that are no class names."""
    hint = "download the model again, or save it once more with save_pretrained"
    names = config.get("architectures")
    if names is not None and not _are_class_names(names):
        message = f"architectures in config.json of {label} is {shown(names)}, not a list of "
        yield Problem(message=f"{message}class names such as LlamaForCausalLM", hint=hint)
    kind = config.get("model_type")
    if kind is not None and not (isinstance(kind, str) and _PLAIN_WORD.fullmatch(kind)):
        message = f"model_type in config.json of {label} is {shown(kind)}, not a name such as llama"
        yield Problem(message=message, hint=hint)
    for path, value in _entries(config):
        if path[-1] in _COUNTS and not _is_count(value):
            message = f"{_dotted(path)} in config.json of {label} is {shown(value)}, not a count"
            yield Problem(message=message, hint=hint)


def _are_class_names(names: Any) -> bool:
    return isinstance(names, list) and all(
        isinstance(name, str) and _CLASS_NAME.fullmatch(name) for name in names
    )


def _is_count(value: Any) -> bool:
    if isinstance(value, list):  # one per stage, in some vision towers
        return all(_is_count(item) for item in value)
    plain = isinstance(value, int) and not isinstance(value, bool)
    return plain and 0 <= value < _LARGEST_COUNT
