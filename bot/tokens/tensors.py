"""Which tensors have one row per token: input embeddings and output heads, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.checkpoint.tensor import TensorSpec

_EMBEDDINGS = frozenset(
    {
        "embed_tokens", "wte", "embed_in", "word_embeddings", "tok_embeddings", "embeddings",
        "shared",
    }
)  # fmt: skip
_HEADS = frozenset({"lm_head", "embed_out"})
_OTHER_TOWERS = frozenset(
    {"vision_tower", "vision_model", "visual", "vision", "audio_tower", "audio_model", "audio"}
)


def is_embedding(name: str) -> bool:
    """Whether the tensor is the language model's input embedding."""
    *path, module, leaf = ["", *name.split(".")]
    return leaf == "weight" and module in _EMBEDDINGS and not _OTHER_TOWERS.intersection(path)


def is_head(name: str) -> bool:
    """Whether the tensor belongs to the output head (its weight or its bias)."""
    *path, module, leaf = ["", *name.split(".")]
    if leaf not in {"weight", "bias"} or _OTHER_TOWERS.intersection(path):
        return False
    # InternLM2 and the original Llama files call the head ``output``; deeper, it is a projection.
    return module in _HEADS or (module == "output" and len(path) <= 1)


def has_token_rows(spec: TensorSpec) -> bool:
    """Whether the tensor's first axis is the vocabulary."""
    return len(spec.shape) in {1, 2} and (is_embedding(spec.name) or is_head(spec.name))


def embedding_name(names: Iterable[str]) -> str | None:
    """The input embedding among ``names``; the first one where several copies are stored."""
    return next((name for name in names if is_embedding(name)), None)


def embedding_rows(tensors: Mapping[str, TensorSpec]) -> int | None:
    """How many tokens the model can read, from its header."""
    name = embedding_name(tensors)
    return tensors[name].shape[0] if name and tensors[name].shape else None
