"""Iso-C: every direction of the summed task at the same strength (Marczak et al. 2025)."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import merge_method
from bot.methods.core.shared_parameters import Lambda
from bot.methods.operators.task_matrices import ONE, Share, factors, merged
from bot.methods.reductions.gram import Matrix


def isotropic(tasks: list[Matrix]) -> Matrix:
    """The sum of the tasks with all its singular values replaced by their mean."""
    total = factors(reduce(add, tasks))
    if not total.values.size:
        return np.zeros_like(tasks[0])
    task: Matrix = total.values.mean() * (total.left @ total.right)
    return task


@merge_method(
    "iso_c",
    title="Iso-C",
    paper="https://arxiv.org/abs/2502.04959",
    unit=Unit.TENSOR,
    base="required",
    exact="host class",
    symmetric=True,
)
def iso_c(x: Block, *, weight: Share = ONE, lambda_: Lambda = 1.0) -> Array:
    """Gives every direction of the summed task the same strength (Marczak et al. 2025).

    For a projection: ``sum_i(w_i * d_i) = U S V^T`` and ``out = base + lambda * mean(S) * U V^T``,
    over singular values above 1e-6 of the largest. Other tensors (vectors, embeddings, heads,
    matrices with a side shorter than the number of tasks): ``out = base + lambda * mean_i(w_i *
    d_i)``. Even a single task is changed.
    """
    return merged(x, weight, lambda_, isotropic)
