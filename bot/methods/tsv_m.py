"""TSV-Merge: leading singular vectors of each task, made orthogonal (Gargiulo et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.methods.core.method_input import Array, Block, Unit
from bot.methods.core.registry import merge_method
from bot.methods.core.shared_parameters import Lambda
from bot.methods.operators.task_matrices import ONE, Share, factors, merged
from bot.methods.reductions.gram import Matrix


def orthonormal(vectors: Matrix) -> Matrix:
    """The orthonormal columns closest to these (whitening).

    Directions that several tasks share leave singular values of zero, whose vectors are noise as
    large as the others: the columns then span what they spanned before, and no more.
    """
    left, _, right = factors(vectors)
    closest: Matrix = left @ right
    return closest


def share_of_triplets(spectra: Sequence[Matrix], slots: int) -> list[int]:
    """How many leading triplets each task keeps: equal shares of the slots.

    What a task of lower rank leaves over goes to the largest values of the others.
    """
    equal = slots // len(spectra)
    kept = [min(equal, len(values)) for values in spectra]
    waiting = sorted(
        ((float(s), task) for task, values in enumerate(spectra) for s in values[kept[task] :]),
        key=lambda pair: -pair[0],
    )
    for _, task in waiting[: equal * len(spectra) - sum(kept)]:
        kept[task] += 1
    return kept


def separated(tasks: list[Matrix]) -> Matrix:
    """The sum of the tasks' leading parts, their singular vectors made orthogonal to each other."""
    parts = [factors(task) for task in tasks]
    kept = share_of_triplets([part.values for part in parts], min(tasks[0].shape))
    if not any(kept):
        return np.zeros_like(tasks[0])
    chosen = list(zip(parts, kept, strict=True))
    left = np.concatenate([part.left[:, :count] for part, count in chosen], axis=1)
    right = np.concatenate([part.right[:count] for part, count in chosen], axis=0)
    values = np.concatenate([part.values[:count] for part, count in chosen])
    task: Matrix = (orthonormal(left) * values) @ orthonormal(right.T).T
    return task


@merge_method(
    "tsv_m",
    title="TSV-Merge",
    paper="https://arxiv.org/abs/2412.00081",
    unit=Unit.TENSOR,
    base="required",
    exact="host class",
    symmetric=True,
)
def tsv_m(x: Block, *, weight: Share = ONE, lambda_: Lambda = 1.0) -> Array:
    """Keeps each task's leading singular vectors and makes them orthogonal (Gargiulo et al. 2024).

    For a projection of shape (m, n): ``w_i * d_i = U_i S_i V_i^T`` with the ``min(m, n) // tasks``
    leading triplets (values below 1e-6 of the largest are never kept; slots that a task of lower
    rank leaves over go to the largest values of the others); all U side by side, and all V, are
    replaced by the closest orthonormal columns, which span no more than they did; ``out = base +
    lambda * U S V^T``. Other tensors (vectors, embeddings, heads, matrices with a side shorter than
    the number of tasks): ``out = base + lambda * mean_i(w_i * d_i)``. Equal tasks merge to their
    leading part.
    """
    return merged(x, weight, lambda_, separated)
