"""Which tensors have one row per token: input embeddings and output heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.checkpoint.tensor_roles import is_embedding, is_head
from bot.checkpoint.tensor_spec import TensorSpec


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
