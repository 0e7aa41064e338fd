"""Singular vectors of whole task matrices, and which tensors are such matrices.

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
from typing import Annotated, NamedTuple

import numpy as np

from bot.checkpoint.tensor_roles import is_head, is_table
from bot.errors import PlanError, Problem
from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import Doc, PerModel, each
from bot.methods.reductions.gram import Matrix

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
    out: Array = x.required_base + task.astype(np.float32)
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
