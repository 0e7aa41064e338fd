"""Which parts of a summed task vector belong to which task."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from bot.errors import PlanError, Problem
from bot.methods.block import Array, Block
from bot.methods.consensus import summed
from bot.methods.knobs import Lambda
from bot.methods.registry import Doc, PerModel, Range, each, merge_method

Share = Annotated[PerModel[float], Doc("share of each task vector")]
Strictness = Annotated[
    PerModel[float], Range(0), Doc("how much larger than the other tasks' part a change must be")
]
DEFAULT = each(0.4)


def belongs(x: Block, together: Array, strictness: tuple[float, ...]) -> list[Array]:
    """Per task a boolean mask: ``|d_t| > strictness_t * |together - d_t|``."""
    return [
        abs(delta) > abs(together - delta) * strict
        for delta, strict in zip(x.deltas, strictness, strict=True)
    ]


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
    agreed: Array = x.origin + x.xp.where(claims >= agreement, together, nothing) * lambda_
    return agreed


def chosen(task: int, models: int) -> int:
    """The index of a task counted from 1.

    Raises:
        PlanError: there is no such task.
    """
    if task > models:
        message = f"there is no task {task}, only {models} models"
        raise PlanError([Problem(message=message, hint="count the models from 1, base left out")])
    return task - 1


@merge_method(
    "tall_masks",
    title="TALL masks",
    paper="https://arxiv.org/abs/2405.07813",
    base="required",
    check=lambda p: chosen(p.task, len(p.weight)),
)
def tall_masks(
    x: Block,
    *,
    task: Annotated[int, Range(1), Doc("which model is brought back, counted from 1")],
    weight: Share = each(1.0),  # noqa: B008 - a constant
    strictness: Strictness = DEFAULT,
    lambda_: Lambda = 1.0,
) -> Array:
    """Brings one task back out of the summed task vector (Wang et al. 2024).

    ``D = sum_i(w_i * d_i)``; ``out = base + lambda * D`` where ``|d_t| > strictness_t * |D - d_t|``
    for the chosen task t, else the base: what a one-bit mask of that task would restore from one
    stored merge. Elementwise, any shape.

    Raises:
        PlanError: there is no such task.
    """
    together = summed(x.deltas, weight, normalize=False)
    mask = belongs(x, together, strictness)[chosen(task, len(x.models))]
    restored: Array = x.xp.where(mask, together, x.xp.zeros_like(together))
    return x.origin + restored * lambda_
