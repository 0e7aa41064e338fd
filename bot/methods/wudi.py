"""WUDI: the merge that interferes least with the tasks' inputs, in closed form."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import merge_method
from bot.methods.core.shared_parameters import Lambda
from bot.methods.operators.task_matrices import ONE, SIGNIFICANT, Share, factors, merged
from bot.methods.reductions.gram import Matrix


@merge_method(
    "wudi",
    title="WUDI (closed form)",
    paper="https://arxiv.org/abs/2503.08099",
    unit=Unit.TENSOR,
    base="required",
    exact="host class",
    symmetric=True,
)
def wudi(x: Block, *, weight: Share = ONE, lambda_: Lambda = 1.0) -> Array:
    """Interferes least with the inputs each task reacts to (the exact minimum, not 300 steps).

    For a projection: ``G_i = d_i^T d_i / |d_i|^2`` and ``out = base + lambda * (sum_i d_i G_i)
    (sum_i G_i)^+``, the minimum over D of ``sum_i |(D - d_i) d_i^T|^2 / |d_i|^2``, d_i being
    weighted by w_i. Other tensors (vectors, embeddings, heads, matrices with a side shorter than
    the number of tasks): ``out = base + lambda * mean_i(w_i * d_i)``.
    """
    return merged(x, weight, lambda_, least_interference)


def least_interference(tasks: list[Matrix]) -> Matrix:
    """``(sum_i d_i G_i) (sum_i G_i)^+``; zero tasks take no part.

    With ``A`` the tasks over their lengths, one below the other, ``sum_i G_i = A^T A``. Where A has
    fewer rows than columns its factors are smaller than that product, which they replace.
    """
    moved = [task for task in tasks if task.any()]
    if not moved:
        return np.zeros_like(tasks[0])
    units = [direction(task) for task in moved]
    if sum(map(len, units)) < units[0].shape[1]:
        stacked = factors(np.concatenate(units))
        seen = (_seen(*pair, stacked.right) for pair in zip(moved, units, strict=True))
        pulled = reduce(add, seen)
        inside: Matrix = (pulled / np.square(stacked.values)) @ stacked.right
        return inside
    grams = [unit.T @ unit for unit in units]
    pulled = reduce(add, (task @ gram for task, gram in zip(moved, grams, strict=True)))
    inverse = np.linalg.pinv(reduce(add, grams), rcond=SIGNIFICANT**2, hermitian=True)
    task: Matrix = pulled @ inverse
    return task


def direction(task: Matrix) -> Matrix:
    """The task over its length, whose square need not be a number of float64."""
    small = task / abs(task).reshape(-1).max(0)
    scaled: Matrix = small / np.sqrt(np.square(small).sum())
    return scaled


def _seen(task: Matrix, unit: Matrix, right: Matrix) -> Matrix:
    """``d_i G_i`` in the coordinates of orthonormal rows, without forming G_i."""
    seen: Matrix = (task @ unit.T) @ (unit @ right.T)
    return seen
