"""Methods that work on task vectors: thin each one out, agree on a sum, add it to the base."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from bot.methods import consensus, sparsify
from bot.methods.block import Array, Block
from bot.methods.reductions.kth_magnitude import Cut
from bot.methods.registry import Doc, PerModel, Range, each, merge_method

Weight: TypeAlias = Annotated[PerModel[float], Doc("share of each task vector; may be negative")]
Density: TypeAlias = Annotated[
    PerModel[float], Range(0, 1), Doc("share of each task vector's elements that is kept")
]
Normalize: TypeAlias = Annotated[bool, Doc("divide by the sum of the weights that took part")]
Lambda: TypeAlias = Annotated[float, Doc("scale of the merged task vector")]
ScopeChoice: TypeAlias = Annotated[
    Literal["tensor", "model"], Doc("what density counts: each tensor, or the model as a whole")
]
EVERYTHING = each(1.0)
Int8Mask: TypeAlias = Annotated[bool, Doc("accepted for mergekit's recipes; changes nothing here")]


@merge_method(
    "task_arithmetic",
    title="Task arithmetic",
    paper="https://arxiv.org/abs/2212.04089",
    base="required",
    space="deltas",
    symmetric=True,
)
def task_arithmetic(
    x: Block,
    *,
    weight: Weight,
    normalize: Normalize = False,
    lambda_: Lambda = 1.0,
    int8_mask: Int8Mask = False,
) -> Array:
    """Adds weighted task vectors to the base (Ilharco et al. 2022).

    ``out = base + lambda * sum_i(w_i * (x_i - base))``; with ``normalize`` the sum is divided by
    ``sum_i(w_i)``, unless that is zero. Elementwise, any shape. A negative weight forgets a task;
    ``+1, -1, +1`` over three models makes an analogy.
    """
    del int8_mask
    return x.origin + consensus.summed(x.deltas, weight, normalize=normalize) * lambda_


@merge_method(
    "ties",
    title="TIES",
    paper="https://arxiv.org/abs/2306.01708",
    base="required",
    space="deltas",
    stats={"kth": lambda p: sparsify.kth_magnitude(p.density, p.scope)},
    symmetric=True,
)
def ties(
    x: Block,
    *,
    weight: Weight,
    density: Density = EVERYTHING,
    normalize: Normalize = True,
    lambda_: Lambda = 1.0,
    scope: ScopeChoice = "tensor",
    int8_mask: Int8Mask = False,
    kth: tuple[Cut, ...] | None,
) -> Array:
    """Trim, elect sign, disjoint merge (Yadav et al. 2023, section 3).

    1. Of each ``d_i = x_i - base`` keep the ``max(1, floor(density_i * n))`` largest magnitudes;
       equal magnitudes at the threshold are kept by lowest index, so that exactly k survive.
       ``scope: model`` counts over the whole model, as in the paper.
    2. Elect per element the sign of ``sum_i(w_i * d_i)``, plus where it is zero.
    3. ``m = sum(w_i * d_i)`` over the models of that sign, divided by the sum of their weights
       with ``normalize``; ``out = base + lambda * m``.

    Elementwise after the k-th magnitudes are known; any shape.
    """
    del density, scope, int8_mask  # the first two made kth
    kept = sparsify.trimmed(x, kth)
    return x.origin + consensus.elected(x, kept, weight, normalize=normalize) * lambda_
