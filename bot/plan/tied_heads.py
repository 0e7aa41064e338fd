"""Tied output heads: whether the output stores a head or ties it to the embedding.

If every model that the output's embedding and head come from ties the two, the output stores the
embedding only and ties the head to it. Otherwise the output stores a head; a model that ties its
head contributes its embedding to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bot.architecture.model_config import ties_embeddings
from bot.architecture.vocabulary_tensors import embedding_name
from bot.checkpoint.tensor_roles import is_head
from bot.plan.findings import Findings
from bot.plan.layer_slices import OutputSlice
from bot.plan.output_tensors import TensorPlan
from bot.plan.parent_model import ParentModel
from bot.recipe.parameter_schedule import OUTSIDE_LAYERS


@dataclass(frozen=True, kw_only=True)
class TiedTensors:
    """The output tensors with the head decided.

    ``tied`` is the output config's ``tie_word_embeddings``; None leaves the config source's value.
    """

    tensors: tuple[TensorPlan, ...]
    tied: bool | None


def settle_heads(
    tensors: Iterable[TensorPlan],
    parts: Sequence[OutputSlice],
    config_source: ParentModel,
    findings: Findings,
) -> TiedTensors:
    """Drop a head that all models tie; use the embedding for models that lack a stored head.

    Args:
        tensors: the output's, head last.
        parts: the embedding comes from the first, the head from the last.
        config_source: the model whose config the output gets.
        findings: receives warnings about tensors that the output does not keep.
    """
    others: list[TensorPlan] = []
    heads: list[TensorPlan] = []
    for tensor in tensors:
        (heads if _is_head_weight(tensor.name) else others).append(tensor)
    first, last = parts[0], parts[-1]
    if _tie(last) and _tie(first):
        _warn_of_dropped_head(heads, first, last, findings)
        untied = (
            ties_embeddings(config_source.config) is False and _head_name(config_source) is not None
        )
        return TiedTensors(tensors=tuple(others), tied=True if heads or untied else None)
    if _tie(last) and not heads:
        heads = [_new_head(first, last)]
    settled = [replace(head, inputs=tuple(_head_inputs(head))) for head in heads]
    changed = settled != heads or (settled and ties_embeddings(config_source.config) is True)
    return TiedTensors(tensors=(*others, *settled), tied=False if changed else None)


def _tie(part: OutputSlice) -> bool:
    """Whether all models tie the head to the embedding, by config or by storing no head."""
    return all(
        _ties(slice_input.model, _head_name(slice_input.model)) for slice_input in part.inputs
    )


def _ties(model: ParentModel, head: str | None) -> bool:
    """``tie_word_embeddings`` of the config; where it is missing, whether no head is stored."""
    stated = ties_embeddings(model.config)
    return head is None if stated is None else stated


def _warn_of_dropped_head(
    heads: Sequence[TensorPlan], first: OutputSlice, last: OutputSlice, findings: Findings
) -> None:
    for head in heads:
        findings.warn(
            f"{head.name} is stored although the models tie it to the embedding: "
            "the output keeps only the embedding"
        )
    if _labels(first) != _labels(last):
        findings.warn(
            f"the output's head is its embedding, which comes from {_labels(first)}, "
            f"not from {_labels(last)}"
        )


def _labels(part: OutputSlice) -> str:
    return " and ".join(dict.fromkeys(slice_input.model.label for slice_input in part.models))


def _new_head(first: OutputSlice, last: OutputSlice) -> TensorPlan:
    """A head for an output that needs one, where the last slice's models store none."""
    names = (_head_name(slice_input.model) for slice_input in first.inputs)
    name = next((name for name in names if name), "lm_head.weight")
    return TensorPlan(
        name=name, output_slice=last, t=OUTSIDE_LAYERS, inputs=(None,) * len(last.inputs)
    )


def _head_inputs(head: TensorPlan) -> Iterator[str | None]:
    for slice_input, name in head.pairs:
        yield embedding_name(slice_input.model.tensors) if _ties(slice_input.model, name) else name


def _head_name(model: ParentModel) -> str | None:
    return next((name for name in model.tensors if _is_head_weight(name)), None)


def _is_head_weight(name: str) -> bool:
    return is_head(name) and name.endswith(".weight")
