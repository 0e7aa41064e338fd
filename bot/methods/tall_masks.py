"""TALL masks: restore one task from the summed task vector (Wang et al. 2024)."""

from __future__ import annotations

from typing import Annotated

from bot.errors import PlanError, Problem
from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, PerModel, Range, each, merge_method
from bot.methods.core.shared_parameters import Lambda
from bot.methods.operators.sign_election import summed

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
    return x.required_base + restored * lambda_
