"""Parameters that several methods share, each defined once."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from bot.methods.core.registry import Doc, PerModel, Range, each
from bot.methods.operators.sparsify import L1OrNone, Rescale

EVERYTHING = each(1.0)

Weight: TypeAlias = Annotated[PerModel[float], Doc("share of each task vector; may be negative")]
Density: TypeAlias = Annotated[
    PerModel[float], Range(0, 1), Doc("share of each task vector's elements that is kept")
]
Gamma: TypeAlias = Annotated[
    PerModel[float], Range(0, 1), Doc("share of the largest magnitudes that is left out")
]
Epsilon: TypeAlias = Annotated[
    PerModel[float],
    Range(0, 0.5, maximum_excluded=True),
    Doc("half width of the keep probabilities around density; no effect at density 0 and 1"),
]
Normalize: TypeAlias = Annotated[bool, Doc("divide by the sum of the weights that took part")]
Lambda: TypeAlias = Annotated[
    float, Doc("scale of the merged task vector; a gradient [a, a + b] over depth is LiNeS")
]
ScopeChoice: TypeAlias = Annotated[
    Literal["tensor", "model"], Doc("what density counts: each tensor, or the model as a whole")
]
TrimRescale: TypeAlias = Annotated[
    L1OrNone, Doc("restore each task vector's L1 norm after trimming (true means l1)")
]
DropRescale: TypeAlias = Annotated[
    Rescale,
    Doc("after dropping: restore the L1 norm (l1, true), divide by the probability (expectation)"),
]
Unused: TypeAlias = Annotated[bool, Doc("accepted for mergekit's recipes; changes nothing")]
UnusedShare: TypeAlias = Annotated[
    PerModel[float], Range(0, 1), Doc("accepted for mergekit's recipes; changes nothing")
]
