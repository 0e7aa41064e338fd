"""Methods that work on the singular vectors of whole task matrices.

Only projections are matrices here: two axes, not a table of tokens or positions nor an output head,
and not so thin that the tasks could not each have a direction: a matrix whose smaller side is less
than the number of tasks is an "other tensor" like vectors and tables. Every other tensor gets the
mean of the task vectors. Linear algebra is in float64; a call holds about ``4 + 8 * models``
float64 copies of one matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import Annotated, Literal, NamedTuple

import numpy as np

from bot.checkpoint.roles import is_head, is_table
from bot.errors import PlanError, Problem
from bot.methods.apply import Inputs, apply
from bot.methods.block import Array, Block, Unit
from bot.methods.knobs import Lambda
from bot.methods.reductions.gram import Matrix
from bot.methods.registry import Doc, PerModel, Range, each, merge_method, registered

SIGNIFICANT = 1e-6
"""A singular value below this share of the largest is noise; its vectors are arbitrary."""

Share = Annotated[PerModel[float], Doc("share of each task vector")]
ONE = each(1.0)


class Factors(NamedTuple):
    """A matrix as ``left * values @ right``, largest values first, noise left out."""

    left: Matrix
    values: Matrix
    right: Matrix


def factors(matrix: Matrix) -> Factors:
    """The singular value decomposition, without the null space."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int(np.count_nonzero(values > SIGNIFICANT * values[0])) if values.size else 0
    return Factors(left[:, :rank], values[:rank], right[:rank])


def is_projection(tensor: str, shape: Sequence[int], tasks: int) -> bool:
    """Whether a tensor of that name is a matrix that maps features to features, and each task can
    have a direction of its own in it.
    """
    if len(shape) != 2 or min(shape) < tasks:
        return False
    return not is_table(tensor) and not is_head(tensor)


def has_directions(x: Block, tasks: Sequence[Array]) -> bool:
    """Whether the tasks are projections, and small enough for float32.

    An infinity has no singular vectors, and LAPACK may find none without a word; added up like a
    vector it stays, and the merge is refused.
    """
    small = (np.count_nonzero(abs(task) < np.inf) == task.size for task in tasks)
    return is_projection(x.tensor, x.shape, len(x.models)) and all(small)


def merged(
    x: Block, weight: Sequence[float], lambda_: float, rule: Callable[[list[Matrix]], Matrix]
) -> Array:
    """``base + lambda * rule(weighted deltas)`` for a projection, else with their mean."""
    tasks = [w * delta.astype(np.float64) for w, delta in zip(weight, x.deltas, strict=True)]
    if not has_directions(x, tasks):
        return plus(x, lambda_ * (reduce(add, tasks) / len(tasks)))
    with naming(x.tensor):
        task = rule(tasks)
    return plus(x, lambda_ * task)


def plus(x: Block, task: Matrix) -> Array:
    """The base with a task added, in float32."""
    out: Array = x.origin + task.astype(np.float32)
    return out


@contextmanager
def naming(tensor: str) -> Iterator[None]:
    """Say which tensor it is that LAPACK gives up on.

    Raises:
        PlanError: a decomposition did not converge.
    """
    try:
        yield
    except np.linalg.LinAlgError as error:
        message = f"the singular vectors of {tensor}'s task vectors cannot be found: {error}"
        hint = "use other weights, or another merge method"
        raise PlanError([Problem(message=message, hint=hint)]) from error


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
