"""Task arithmetic: the weighted sum of task vectors (Ilharco et al. 2022)."""

from __future__ import annotations

from bot.methods.core.method_input import Array, Block
from bot.methods.core.registry import merge_method
from bot.methods.core.shared_parameters import (
    EVERYTHING,
    Lambda,
    Normalize,
    Unused,
    UnusedShare,
    Weight,
)
from bot.methods.operators.sign_election import summed


@merge_method(
    "task_arithmetic",
    title="Task arithmetic",
    paper="https://arxiv.org/abs/2212.04089",
    base="required",
    symmetric=True,
)
def task_arithmetic(
    x: Block,
    *,
    weight: Weight,
    normalize: Normalize = False,
    lambda_: Lambda = 1.0,
    density: UnusedShare = EVERYTHING,
    rescale: Unused = False,
    int8_mask: Unused = False,
) -> Array:
    """Adds weighted task vectors to the base (Ilharco et al. 2022).

    ``out = base + lambda * sum_i(w_i * (x_i - base))``; with ``normalize`` the sum is divided by
    ``sum_i(w_i)``, unless that is zero. Elementwise, any shape. A negative weight forgets a task;
    ``+1, -1, +1`` over three models makes an analogy.
    """
    del density, rescale, int8_mask
    return x.required_base + summed(x.deltas, weight, normalize=normalize) * lambda_
