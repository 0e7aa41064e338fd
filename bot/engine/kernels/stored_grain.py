"""A grain as it is stored, for kernels that decode it themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import Dtype
from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.method_input import Span

Bits = npt.NDArray[np.unsignedinteger[Any]]
NATIVE: dict[Dtype, np.dtype[np.unsignedinteger[Any]]] = {
    Dtype.BF16: np.dtype("<u2"),
    Dtype.F32: np.dtype("<u4"),
}
"""Dtypes that kernels read and write, as the integers they see them as."""


def shift_of(bits: Bits) -> np.uint32:
    """How far left the stored bits stand in a float32."""
    return np.uint32(32 - 8 * bits.itemsize)


KeptMasks = dict[Hashable, npt.NDArray[np.uint8]]
"""By sparsification and grain: a bit per element, 1 where it is dropped, (models, elements / 8)."""


@dataclass(frozen=True, kw_only=True)
class StoredGrain:
    """All inputs of a grain, a base first.

    Attributes:
        bits: uint16 or uint32 (inputs, elements), in one piece: a kernel that knows its rows to be
            without gaps is compiled to vector instructions.
        width: the length of the block's last axis, a row's for methods that work by rows.
        kept_masks: which elements of this tensor were dropped at random in an earlier pass.
    """

    bits: Bits
    has_base: bool
    width: int
    span: Span
    tensor: str
    draws: PhiloxDraws
    kept_masks: KeptMasks

    @property
    def shift(self) -> np.uint32:
        """How far left the stored bits stand in a float32."""
        return shift_of(self.bits)

    @property
    def elements(self) -> int:
        """How many elements the grain has."""
        return self.span.stop - self.span.start

    def row(self, number: int) -> Bits:
        """One input of the grain."""
        row: Bits = self.bits[number]
        return row

    @property
    def models(self) -> int:
        """How many inputs are not the base."""
        return len(self.bits) - self.has_base


Combine = Callable[[StoredGrain, Bits], bool]
"""Merges a grain into ``uint16`` or ``uint32`` bits; False where anything is not finite."""

Fold = Callable[[Any, StoredGrain], Any]
"""Folds one grain into a state, as ``Reduction.update`` does with a block."""


class FoldKernel(NamedTuple):
    """A kernel, and whether one state may take all grains of a chunk (integers are exact)."""

    fold: Fold
    any_order: bool
