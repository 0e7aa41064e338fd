"""Counts of float32 magnitudes by the halves of their bits.

Every high half has two bins, one for magnitudes whose low half is zero and one for the others. The
deltas of bf16 parents are nearly all of the first kind, which is a single number: then the first
pass has found the threshold, and how many elements of every block are equal to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.methods.block import Array

Counts = npt.NDArray[np.int64]
BINS = 1 << 16
"""Of the low halves."""
HIGH_BINS = BINS
"""Of the high halves, which have no sign: two for each."""
TALLIED_ELEMENTS = 1 << 26
"""Tensors up to this size keep the counts of their blocks: at most 25 MB per model, mostly one."""


def magnitude_bits(delta: Array) -> npt.NDArray[np.uint32]:
    """``|delta|`` as integers that sort like the magnitudes, flat."""
    flat = np.ascontiguousarray(delta, dtype=np.float32).reshape(-1)
    return flat.view(np.uint32) & np.uint32(0x7FFFFFFF)


def value_of(bits: int) -> float:
    """The float32 whose bit pattern this is."""
    return float(np.uint32(bits).view(np.float32))


def high_bins(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The bin of the first pass: twice the high half, and one more where the low half is not 0."""
    bins: npt.NDArray[np.uint32] = (bits >> 16 << 1) | ((bits & 0xFFFF) != 0)
    return bins


class Singles(NamedTuple):
    """Halves of a block's magnitudes, and how often it holds each.

    After the first pass the high halves of those whose low half is zero, after the second the low
    halves of those in the target's bin.
    """

    values: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, found: npt.NDArray[Any], held: int) -> Singles:
        """Copied from the first ``held`` columns of (halves, counts)."""
        values, counts = found[:, :held]
        return cls(values.astype(np.uint16), counts.astype(np.uint32))

    def count(self, value: int) -> int:
        """How many have this half."""
        place = int(np.searchsorted(self.values, value))
        found = place < len(self.values) and int(self.values[place]) == value
        return int(self.counts[place]) if found else 0


BlockKey = tuple[str, int]
"""A tensor and the first element of a block."""


@dataclass
class Tally:
    """The state of the first and the second pass.

    Attributes:
        counts: int64 (rows, 65536), then (targets, 65536).
        blocks: every block's ``Singles``, one per row of the counts; None where that is too much.
    """

    counts: Counts
    blocks: list[tuple[BlockKey, list[Singles]]] | None

    def note(self, key: BlockKey, found: list[Singles]) -> Tally:
        """Keep a block's singles, where they are kept."""
        if self.blocks is not None:
            self.blocks.append((key, found))
        return self

    def add(self, other: Tally) -> Tally:
        """Add the counts of the blocks that follow; this one grows."""
        self.counts += other.counts
        if self.blocks is not None:
            self.blocks += other.blocks or []
        return self
