"""Heads that are the embedding under another name.

Where all models that give the output its embedding and its head tie the two, the output has the
embedding alone and ties it. Elsewhere the output stores a head: the models' own, and for those that
tie it their embedding, which serves them as one.
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
    """Drafts with heads settled; ``tied`` is None where the donor's config stays as it is."""

    drafts: tuple[TensorPlan, ...]
    tied: bool | None


def settle_heads(
    drafts: Iterable[TensorPlan],
    parts: Sequence[OutputSlice],
    donor: ParentModel,
    findings: Findings,
) -> TiedTensors:
    """Drop heads that are tied everywhere, fill in the embedding where only some have a head.

    Args:
        drafts: the output's, head last.
        parts: the first gives the embedding, the last gives the head.
        donor: whose config the output gets.
        findings: told what the output does not keep.
    """
    others: list[TensorPlan] = []
    heads: list[TensorPlan] = []
    for draft in drafts:
        (heads if _is_head_weight(draft.name) else others).append(draft)
    first, last = parts[0], parts[-1]
    if _tie(last) and _tie(first):
        _say_what_is_left_out(heads, first, last, findings)
        untied = ties_embeddings(donor.config) is False and _head_name(donor) is not None
        return TiedTensors(drafts=tuple(others), tied=True if heads or untied else None)
    if _tie(last) and not heads:
        heads = [_new_head(first, last)]
    settled = [replace(draft, inputs=tuple(_heads(draft))) for draft in heads]
    changed = settled != heads or (settled and ties_embeddings(donor.config) is True)
    return TiedTensors(drafts=(*others, *settled), tied=False if changed else None)


def _tie(part: OutputSlice) -> bool:
    """Whether the embedding is the head of all models: they say so, or store no other."""
    return all(_ties(seat.body, _head_name(seat.body)) for seat in part.seats)


def _ties(body: ParentModel, head: str | None) -> bool:
    """A config that does not say goes by whether there is a head."""
    said = ties_embeddings(body.config)
    return head is None if said is None else said


def _say_what_is_left_out(
    heads: Sequence[TensorPlan], first: OutputSlice, last: OutputSlice, findings: Findings
) -> None:
    for draft in heads:
        findings.warn(
            f"{draft.name} is stored although the models tie it to the embedding: "
            "the output keeps the embedding alone"
        )
    if _labels(first) != _labels(last):
        findings.warn(
            f"the output's head is its embedding, which comes from {_labels(first)}, "
            f"not from {_labels(last)}"
        )


def _labels(part: OutputSlice) -> str:
    return " and ".join(dict.fromkeys(seat.body.label for seat in part.models))


def _new_head(first: OutputSlice, last: OutputSlice) -> TensorPlan:
    """A head for models that have none of their own, in an output that needs one."""
    names = (_head_name(seat.body) for seat in first.seats)
    name = next((name for name in names if name), "lm_head.weight")
    return TensorPlan(name=name, stretch=last, t=OUTSIDE_LAYERS, inputs=(None,) * len(last.seats))


def _heads(draft: TensorPlan) -> Iterator[str | None]:
    for seat, name in draft.pairs:
        yield embedding_name(seat.body.tensors) if _ties(seat.body, name) else name


def _head_name(body: ParentModel) -> str | None:
    return next((name for name in body.tensors if _is_head_weight(name)), None)


def _is_head_weight(name: str) -> bool:
    return is_head(name) and name.endswith(".weight")
