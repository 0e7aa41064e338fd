"""KnOTS: task vectors merged in the directions they share (Stoica et al. 2024)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from bot.methods.core.apply import Inputs, apply
from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import Doc, PerModel, Range, merge_method, registered
from bot.methods.core.shared_parameters import Lambda
from bot.methods.operators.task_matrices import (
    ONE,
    Share,
    factors,
    has_directions,
    naming,
    plus,
)


@merge_method(
    "knots",
    title="KnOTS",
    paper="https://arxiv.org/abs/2410.19735",
    unit=Unit.TENSOR,
    base="required",
    exact="host class",
)
def knots(
    x: Block,
    *,
    weight: Share = ONE,
    inner: Annotated[
        Literal["ties", "task_arithmetic"], Doc("the method used on aligned tasks")
    ] = "ties",
    density: Annotated[
        PerModel[float], Range(0, 1), Doc("share of each aligned task that is kept")
    ] = ONE,
    lambda_: Lambda = 1.0,
) -> Array:
    """Merges tasks in the directions they share, for LoRA siblings (Stoica et al. 2024).

    For a projection: ``[d_1 | .. | d_N] = U S [V_1 | .. | V_N]^T``, values above 1e-6 of the
    largest; the aligned tasks ``C_i = S V_i^T`` are merged by the inner method with its defaults;
    ``out = base + lambda * U merge(C)``. Other tensors (vectors, embeddings, heads, matrices with a
    side shorter than the number of tasks): the inner method on the tasks themselves.
    """
    if has_directions(x, x.deltas):
        with naming(x.tensor):
            joint = factors(np.concatenate([d.astype(np.float64) for d in x.deltas], axis=1))
        aligned = (joint.values[:, None] * joint.right).astype(np.float32)
        left, tasks = joint.left, np.split(aligned, len(x.models), axis=1)
    else:
        left, tasks = None, list(x.deltas)
    inputs = Inputs(models=tasks, base=np.zeros_like(tasks[0]), tensor=x.tensor)
    merged_tasks = apply(registered()[inner], inputs, {"weight": weight, "density": density})
    task = merged_tasks if left is None else left @ merged_tasks.astype(np.float64)
    return plus(x, lambda_ * task)
