"""Tensor roles by name: embeddings, other lookup tables, output heads."""

from __future__ import annotations

from functools import lru_cache

_EMBEDDINGS = frozenset(
    {
        "embed_tokens", "wte", "embed_in", "word_embeddings", "tok_embeddings", "embeddings",
        "shared",
    }
)  # fmt: skip
_OTHER_TABLES = frozenset(
    {
        "wpe", "embed_positions", "position_embedding", "position_embeddings", "pos_embed",
        "positions_embed", "relative_attention_bias", "token_type_embeddings", "token_embedding",
        "tokens_embed", "word_embedding", "embed_tokens_per_layer",
    }
)  # fmt: skip
_HEADS = frozenset({"lm_head", "embed_out"})
# InternLM2 and the original Llama files call the head ``output``, ChatGLM and Megatron
# ``output_layer``; deeper than this, modules of these names are projections.
_HEADS_BY_DEPTH = {"output": 1, "output_layer": 2}
_OTHER_TOWERS = frozenset(
    {"vision_tower", "vision_model", "visual", "vision", "audio_tower", "audio_model", "audio"}
)


def is_embedding(name: str) -> bool:
    """Whether the tensor is the language model's input embedding."""
    *path, module, leaf = ["", *name.split(".")]
    return leaf == "weight" and module in _EMBEDDINGS and not _OTHER_TOWERS.intersection(path)


@lru_cache(maxsize=1 << 16)
def is_head(name: str) -> bool:
    """Whether the tensor belongs to the output head (its weight or its bias)."""
    *path, module, leaf = ["", *name.split(".")]
    if leaf not in {"weight", "bias"} or _OTHER_TOWERS.intersection(path):
        return False
    return module in _HEADS or len(path) <= _HEADS_BY_DEPTH.get(module, 0)


def is_table(name: str) -> bool:
    """Whether the tensor is a lookup table (tokens, positions, segments) of any tower."""
    module = name.removesuffix(".weight").rpartition(".")[2]
    return module in _EMBEDDINGS or module in _OTHER_TABLES
