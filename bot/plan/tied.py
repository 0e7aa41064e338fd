"""Heads that are the embedding under another name.

A head that all parents tie is merged once, as the embedding, and tied again in the output. A head
that only some parents store is merged with the others' embeddings, which serve as their heads, and
the output no longer ties it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.plan.findings import Findings
from bot.plan.outline import Draft
from bot.plan.parent import Body
from bot.tokens.config import ties_embeddings
from bot.tokens.tensors import embedding_name, is_head


@dataclass(frozen=True, kw_only=True)
class TiedDrafts:
    """Drafts with heads settled; ``tied`` is None where the donor's config stays as it is."""

    drafts: tuple[Draft, ...]
    tied: bool | None


def settle_heads(drafts: Iterable[Draft], findings: Findings) -> TiedDrafts:
    """Drop heads that are tied everywhere, fill in the embedding where only some have a head."""
    tied: bool | None = None
    settled: list[Draft] = []
    for draft in drafts:
        if not is_head(draft.name) or not draft.name.endswith(".weight"):
            settled.append(draft)
        elif all(ties_embeddings(seat.body.config) is True for seat, _ in draft.pairs):
            findings.warn(
                f"{draft.name} is stored although the models tie it to the embedding: "
                "the output keeps the embedding alone"
            )
            tied = True
        else:
            heads = tuple(_heads(draft))
            settled.append(replace(draft, inputs=heads))
            tied = None if heads == draft.inputs else False
    return TiedDrafts(drafts=tuple(settled), tied=tied)


def _heads(draft: Draft) -> Iterator[str | None]:
    for seat, name in draft.pairs:
        tied = ties_embeddings(seat.body.config) is True
        yield _embedding(seat.body) if name is None or tied else name


def _embedding(body: Body) -> str | None:
    return embedding_name(body.tensors)
