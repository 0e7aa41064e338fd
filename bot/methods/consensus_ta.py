"""Consensus task arithmetic: keep the elements that enough tasks claim (Wang et al. 2024)."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, Range, each, merge_method
from bot.methods.core.shared_parameters import Lambda
from bot.methods.operators.sign_election import summed
from bot.methods.tall_masks import DEFAULT, Share, Strictness, belongs


@merge_method(
    "consensus_ta",
    title="Consensus task arithmetic",
    paper="https://arxiv.org/abs/2405.07813",
    base="required",
    symmetric=True,
)
def consensus_ta(
    x: Block,
    *,
    weight: Share = each(1.0),  # noqa: B008 - a constant
    strictness: Strictness = DEFAULT,
    agreement: Annotated[int, Range(0), Doc("tasks that must claim an element")] = 2,
    lambda_: Lambda = 1.0,
) -> Array:
    """Keeps the elements of the summed task vector that enough tasks claim (Wang et al. 2024).

    ``D = sum_i(w_i * d_i)``; task t claims an element where ``|d_t| > strictness_t * |D - d_t|``;
    ``out = base + lambda * D`` where at least ``agreement`` tasks claim it, else the base.
    Agreement 0 is task arithmetic. Elementwise, any shape.
    """
    together = summed(x.deltas, weight, normalize=False)
    nothing = x.xp.zeros_like(together)
    claims = reduce(
        add, (x.xp.where(mask, nothing + 1, nothing) for mask in belongs(x, together, strictness))
    )
    agreed: Array = x.required_base + x.xp.where(claims >= agreement, together, nothing) * lambda_
    return agreed
