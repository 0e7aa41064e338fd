"""The output's ``config.json``: its source's, with what the merge changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.architecture.model_config import JsonObject, layer_key, text_section
from bot.architecture.untrusted_config import without_sources

_DROPPED = ("_name_or_path", "_commit_hash")
_LAYER_INDEX_LISTS = frozenset({"mlp_only_layers", "attn_layer_indices", "full_attn_idxs"})
_PREDICTION_LAYERS = ("num_nextn_predict_layers", "mtp_num_hidden_layers")
"""How many layers for multi-token prediction follow the language model's layers."""
_TOKEN_KEYS = ("_token_id", "_token_ids", "_token_index")
_LAYER_RULES = frozenset(
    {
        "sliding_window_pattern", "max_window_layers", "no_rope_layer_interval",
        "first_k_dense_replace", "full_attention_interval", "interleave_moe_layer_step",
        "decoder_sparse_step", "moe_layer_freq", "attn_layer_period", "attn_layer_offset",
        "expert_layer_period", "expert_layer_offset",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Where an output layer's config entries come from: a model's config and its layer index."""

    config: JsonObject
    index: int


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a merge changes in the config it takes over; None means nothing.

    ``dtype`` is a torch name; ``layers`` lists where the output's layers come from, when layers
    moved.
    """

    dtype: str
    layers: Sequence[Layer] | None = None
    vocabulary: int | None = None
    tied: bool | None = None


def output_config(source_config: JsonObject, changes: Changes) -> tuple[JsonObject, list[str]]:
    """The output's config and warnings about what could not be carried over."""
    config = _cleaned(without_sources(source_config))
    section = text_section(config)
    _set_dtype(config, changes.dtype)
    if changes.vocabulary is not None:
        for part in (section, config):
            if part is section or "vocab_size" in part:
                part["vocab_size"] = changes.vocabulary
    if changes.tied is not None:
        for part in (section, config):
            if part is config or "tie_word_embeddings" in part:
                part["tie_word_embeddings"] = changes.tied
    warnings = _set_layers(section, changes.layers) if changes.layers is not None else []
    return config, warnings


def _cleaned(config: JsonObject) -> JsonObject:
    """A copy without the keys that name its author's folder or commit, at any depth."""

    def copied(value: Any) -> Any:
        if isinstance(value, dict):
            return _cleaned(value)
        return [copied(item) for item in value] if isinstance(value, list) else value

    return {key: copied(value) for key, value in config.items() if key not in _DROPPED}


def _set_dtype(config: JsonObject, dtype: str) -> None:
    """Write the dtype under the key the source config uses (``dtype``, before transformers 5
    ``torch_dtype``), in nested sections only where they had one.
    """
    found = [key for key in ("dtype", "torch_dtype") if key in config]
    for key in found or ["dtype"]:
        config[key] = dtype
    for section in config.values():
        if isinstance(section, dict):
            for key in ("dtype", "torch_dtype"):
                if isinstance(section.get(key), str):
                    section[key] = dtype


def _set_layers(section: JsonObject, layers: Sequence[Layer]) -> list[str]:
    key = layer_key(section)
    if key is None:
        return ["config.json does not say how many layers the model has: none was written"]
    depth = section[key]
    section[key] = len(layers)
    for name, value in list(section.items()):
        if name in _LAYER_INDEX_LISTS and isinstance(value, list):
            section[name] = [at for at, layer in enumerate(layers) if _listed(layer, name)]
        elif _is_per_layer(name, value, depth):
            section[name] = [_entry(layer, name, value) for layer in layers]
    predicting = [name for name in _PREDICTION_LAYERS if section.get(name)]
    warnings = [_without_prediction(section, name) for name in predicting]
    # The depth is an untrusted number: no list of that length is made.
    moved = len(layers) != depth or any(layer.index != at for at, layer in enumerate(layers))
    if not moved or isinstance(section.get("layer_types"), list):
        return warnings
    return warnings + [
        f"{name} in config.json depends on the layer's number, and layers moved: "
        "the merge may run with other settings than its sources did"
        for name in sorted(_LAYER_RULES.intersection(section))
        if section[name] is not None
    ]


def _without_prediction(section: JsonObject, name: str) -> str:
    section[name] = 0
    return f"the slices leave out the layers for multi-token prediction: {name} is 0 in the output"


def _is_per_layer(name: str, value: Any, depth: int) -> bool:
    """Whether a list has one entry per layer; lists of token ids may have that length by chance."""
    is_list = isinstance(value, list) and len(value) == depth > 0
    return is_list and "token" not in name and name != "architectures"


def _entry(layer: Layer, name: str, fallback: list[Any]) -> Any:
    values = text_section(layer.config).get(name)
    if not isinstance(values, list) or layer.index >= len(values):
        values = fallback
    return values[min(layer.index, len(values) - 1)]


def _listed(layer: Layer, name: str) -> bool:
    indices = text_section(layer.config).get(name)
    return isinstance(indices, list) and layer.index in indices


def renumbered(
    config: JsonObject, old: Mapping[str, int], new: Mapping[str, int]
) -> tuple[JsonObject, list[str]]:
    """A config whose token ids (``eos_token_id`` and the like) follow another vocabulary.

    Args:
        config: config or generation config.
        old: token -> id in the vocabulary the config was written for.
        new: token -> id in the output's vocabulary.

    Returns:
        The config, and warnings about tokens that the output does not have; their keys are null.
    """
    tokens = {index: token for token, index in old.items()}
    warnings: list[str] = []

    def moved(key: str, value: Any) -> Any:
        if isinstance(value, list):
            found = [moved(key, each) for each in value]
            return [each for each in found if each is not None]
        if not isinstance(value, int) or isinstance(value, bool) or value not in tokens:
            return value
        if tokens[value] not in new:
            warnings.append(f"{key}: the output's tokenizer has no token {tokens[value]!r}")
        return new.get(tokens[value])

    def walk(part: JsonObject) -> JsonObject:
        return {
            key: walk(value)
            if isinstance(value, dict)
            else (moved(key, value) if key.endswith(_TOKEN_KEYS) else value)
            for key, value in part.items()
        }

    return walk(config), warnings
