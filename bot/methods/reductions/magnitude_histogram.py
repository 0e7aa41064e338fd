"""Counts of float32 magnitudes by the halves of their bits.

Every high half has two bins, one for magnitudes whose low half is zero and one for the others. The
deltas of bf16 parents are nearly all of the first kind, which is a single number: then the first
pass has found the threshold, and how many elements of every block are equal to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.methods.core.method_input import Array

Counts = npt.NDArray[np.int64]
BINS = 1 << 16
"""Of the low halves; of the high ones too, which have no sign: two for each."""
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


class Histogram(NamedTuple):
    """The bins that a block fills, ascending, and how many of its elements are in each."""

    bins: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, bins: npt.NDArray[np.integer[Any]]) -> Histogram:
        """That of elements whose bins these are."""
        counts = np.bincount(bins, minlength=1)
        filled = np.flatnonzero(counts)
        return cls(filled.astype(np.uint16), counts[filled].astype(np.uint32))

    def count(self, bin_: int) -> int:
        """How many are in one bin."""
        place = int(np.searchsorted(self.bins, bin_))
        found = place < len(self.bins) and int(self.bins[place]) == bin_
        return int(self.counts[place]) if found else 0


NOTHING = Histogram(np.empty(0, np.uint16), np.empty(0, np.uint32))
BlockKey = tuple[str, int]
"""A tensor and the first element of a block."""
Blocks = list[tuple[BlockKey, list[Histogram]]]


@dataclass
class MagnitudeCounts:
    """The state of the first and the second pass: a histogram of each row of every block.

    Attributes:
        rows: how many there are of every block.
        keeps: whether blocks stay apart when others follow.
        blocks: those that are apart, in order.
    """

    rows: int
    keeps: bool
    blocks: Blocks = field(default_factory=list)
    _others: Counts | None = field(default=None, init=False)

    def note(self, key: BlockKey, found: list[Histogram]) -> MagnitudeCounts:
        """Take the next block."""
        self.blocks.append((key, found))
        return self

    def add(self, other: MagnitudeCounts) -> MagnitudeCounts:
        """Take the blocks that follow; this one grows."""
        if self.keeps:
            self.blocks += other.blocks
        else:
            self._others = other._onto(self._nothing() if self._others is None else self._others)
        return self

    def counts(self) -> Counts:
        """Of all blocks together, int64 (rows, 65536)."""
        return self._onto(self._nothing())

    def _nothing(self) -> Counts:
        return np.zeros((self.rows, BINS), np.int64)

    def _onto(self, total: Counts) -> Counts:
        """Add all blocks, those that are no longer apart too."""
        if self._others is not None:
            total += self._others
        for _, found in self.blocks:
            for row, histogram in zip(total, found, strict=True):
                row[histogram.bins] += histogram.counts
        return total
