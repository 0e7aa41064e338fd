"""The exact k-th largest magnitude among elements, without sorting and without holding them.

A float32 magnitude, read as an integer, sorts like its value. Two passes of histograms, over the
high and then the low 16 bits, find the k-th magnitude exactly. Where more elements share it than k
has room for, they are counted per block, so that the ones of lowest index are kept and exactly k
survive. bf16 parents need this: much of a tensor can sit at the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Array, Block
from bot.methods.reductions.magnitude_histogram import (
    NOTHING,
    TALLIED_ELEMENTS,
    BlockKey,
    Counts,
    Histogram,
    MagnitudeCounts,
    high_bins,
    magnitude_bits,
    value_of,
)

Scope = Literal["tensor", "model"]
Values = Callable[[Block], tuple[Array, ...]]


def deltas(block: Block) -> tuple[Array, ...]:
    """The usual thing to rank."""
    return block.deltas


@dataclass(frozen=True)
class Top:
    """How many elements TIES keeps of n: the floor of ``density * n``, and at least one."""

    density: float

    def __call__(self, elements: int) -> int:
        """k for a tensor (or model) of that many elements."""
        if self.density >= 1:
            return elements
        return max(1, int(self.density * elements)) if self.density > 0 and elements else 0


@dataclass(frozen=True)
class Target:
    """One question: the k-th largest magnitude in row ``model`` of the values ranked.

    ``count`` tells k from the number of elements, or of those that are not zero.
    """

    model: int
    count: Callable[[int], int]
    nonzero: bool = False

    def place(self, counts: Counts) -> ThresholdBin | Cut:
        """Where the answer lies in the counts of the first pass, whose first bin is zero."""
        row = counts[self.model]
        elements = int(row.sum()) - (int(row[0]) if self.nonzero else 0)
        return _place(row, self.count(elements))


class Ties(NamedTuple):
    """Elements at a threshold: before a block, and in it."""

    before: int
    here: int


@dataclass(frozen=True, kw_only=True)
class Cut:
    """An answer: which elements are the k largest.

    An element is kept when its magnitude is above ``threshold`` (a float32 value), or equal to it
    and one of the first ``spare`` such elements. ``spare`` None keeps all equal ones. ``ties``
    tells where the equal ones lie: (tensor, first element of a block) -> how many.
    """

    threshold: float
    spare: int | None = None
    ties: Mapping[BlockKey, Ties] = field(default_factory=dict)

    @property
    def bits(self) -> np.uint32:
        """Those of the threshold."""
        return np.float32(self.threshold).view(np.uint32)

    def keeps(self, magnitude: Array, block: Block) -> Array:
        """Boolean mask of the kept elements of a block, of the shape of ``magnitude``."""
        above: Array = magnitude > self.threshold
        equal: Array = magnitude == self.threshold
        if self.spare is None:
            return above | equal
        room = self.spare - self.ties[block.tensor, block.span.start].before
        place = block.xp.cumsum(equal.reshape(-1), 0).reshape(equal.shape)
        kept: Array = above | (equal & (place <= room))
        return kept


KEEP_NONE = Cut(threshold=float("inf"))


@dataclass(frozen=True)
class KthMagnitude:
    """First pass: histograms of the high 16 bits of the magnitudes.

    Args:
        targets: the questions; several may concern one model.
        scope: whether n counts one tensor or the whole model.
        values: what is ranked, one array per row; the deltas unless said otherwise.
        ties: whether elements at the threshold are told apart, so that exactly k are kept.

    State: ``MagnitudeCounts``. Statistic: one ``Cut`` per target.
    """

    targets: tuple[Target, ...]
    scope: Scope = "tensor"
    values: Values = deltas
    ties: bool = True

    def empty(self, spec: TensorSpec, _models: int, /) -> MagnitudeCounts:
        """No element counted."""
        return _empty(self, 1 + max(target.model for target in self.targets), spec)

    def update(self, state: MagnitudeCounts, block: Block) -> MagnitudeCounts:
        """Count a block."""
        found = [Histogram.of(high_bins(magnitude_bits(row))) for row in self.values(block)]
        return state.note((block.tensor, block.span.start), found)

    def merge(self, left: MagnitudeCounts, right: MagnitudeCounts) -> MagnitudeCounts:
        """Add the counts; left grows."""
        return left.add(right)

    def finish(self, state: MagnitudeCounts) -> LowBits | EqualBefore | tuple[Cut, ...]:
        """The k-th magnitudes, or where each lies to within 16 bits."""
        counts = state.counts()
        places = tuple(target.place(counts) for target in self.targets)
        low = LowBits(
            tuple(target.model for target in self.targets),
            places,
            self.scope,
            self.values,
            self.ties,
        )
        if any(isinstance(place, ThresholdBin) and place.bin % 2 for place in places):
            return low
        cuts = tuple(
            place if isinstance(place, Cut) else _cut(place.bin >> 1 << 16, place)
            for place in places
        )
        bins = [
            (target.model, high_bin(cut)) for target, cut in zip(self.targets, cuts, strict=True)
        ]
        return low.settled(cuts, state, bins)


@dataclass(frozen=True)
class ThresholdBin:
    """Where the k-th magnitude was found: its bin, and how many of the bin's elements k takes."""

    bin: int
    wanted: int
    held: int


def high_bin(cut: Cut) -> int:
    """The bin of a threshold in the first pass."""
    return int(high_bins(np.array(cut.bits)))


def low_bin(cut: Cut) -> int:
    """The bin of a threshold in the second pass: the low half of its bits."""
    return int(cut.bits) & 0xFFFF


def _place(counts: Counts, k: int) -> ThresholdBin | Cut:
    elements = int(counts.sum())
    if k <= 0 or not elements:
        return KEEP_NONE
    k = min(k, elements)
    from_top = np.cumsum(counts[::-1])
    step = int(np.searchsorted(from_top, k))
    bin_ = len(counts) - 1 - step
    held = int(counts[bin_])
    return ThresholdBin(bin=bin_, wanted=k - (int(from_top[step]) - held), held=held)


@dataclass(frozen=True)
class LowBits:
    """Second pass: histograms of the low 16 bits inside each target's bin, where not settled.

    State: ``MagnitudeCounts``.
    """

    models: tuple[int, ...]
    places: tuple[ThresholdBin | Cut, ...]
    scope: Scope
    values: Values
    ties: bool = True

    def empty(self, spec: TensorSpec, _models: int, /) -> MagnitudeCounts:
        """No element counted."""
        return _empty(self, len(self.places), spec)

    def update(self, state: MagnitudeCounts, block: Block) -> MagnitudeCounts:
        """Count a block."""
        values = self.values(block)
        found = []
        for model, place in zip(self.models, self.places, strict=True):
            histogram = NOTHING
            if isinstance(place, ThresholdBin):
                bits = magnitude_bits(values[model])
                histogram = Histogram.of(bits[high_bins(bits) == place.bin] & 0xFFFF)
            found.append(histogram)
        return state.note((block.tensor, block.span.start), found)

    def merge(self, left: MagnitudeCounts, right: MagnitudeCounts) -> MagnitudeCounts:
        """Add the counts; left grows."""
        return left.add(right)

    def finish(self, state: MagnitudeCounts) -> EqualBefore | tuple[Cut, ...]:
        """The k-th magnitudes; ties that were not counted block by block ask for a third pass."""
        cuts = tuple(map(_resolve, self.places, state.counts()))
        return self.settled(cuts, state, [(row, low_bin(cut)) for row, cut in enumerate(cuts)])

    def settled(
        self, cuts: tuple[Cut, ...], state: MagnitudeCounts, bins: Sequence[tuple[int, int]]
    ) -> EqualBefore | tuple[Cut, ...]:
        """The cuts as they stand, or with their ties counted, or the pass that counts them.

        ``bins`` tells in which row of a block's histograms each cut's ties are, and in which bin.
        """
        if not self.ties:
            return tuple(Cut(threshold=cut.threshold) for cut in cuts)
        if all(cut.spare is None for cut in cuts):
            return cuts
        if not state.keeps:
            return EqualBefore(self.models, cuts, self.scope, self.values)
        rows = [
            [
                0 if cut.spare is None else found[row].count(bin_)
                for cut, (row, bin_) in zip(cuts, bins, strict=True)
            ]
            for _, found in state.blocks
        ]
        return _with_ties(cuts, [key for key, _ in state.blocks], rows)


def _empty(asking: KthMagnitude | LowBits, rows: int, spec: TensorSpec) -> MagnitudeCounts:
    small = asking.scope == "tensor" and spec.elements <= TALLIED_ELEMENTS
    return MagnitudeCounts(rows, keeps=small and asking.ties)


def _resolve(place: ThresholdBin | Cut, counts: Counts) -> Cut:
    if isinstance(place, Cut):
        return place
    low = _place(counts, place.wanted)
    if isinstance(low, Cut):  # pragma: no cover - the bin holds what the first pass counted
        return low
    return _cut(place.bin >> 1 << 16 | low.bin, low)


def _cut(bits: int, place: ThresholdBin) -> Cut:
    if place.wanted == place.held or bits == 0:  # equal zeros are zero, kept or not
        return Cut(threshold=value_of(bits))
    return Cut(threshold=value_of(bits), spare=place.wanted)


Ledger = list[tuple[BlockKey, tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class EqualBefore:
    """Third pass: how many elements at the threshold each block holds.

    State: ((tensor, first element of the block), count per target), block after block.
    """

    models: tuple[int, ...]
    cuts: tuple[Cut, ...]
    scope: Scope
    values: Values

    def empty(self, _spec: TensorSpec, _models: int, /) -> Ledger:
        """No block counted."""
        return []

    def update(self, state: Ledger, block: Block) -> Ledger:
        """Count a block."""
        values = self.values(block)
        counts = tuple(
            0 if cut.spare is None else int((abs(values[model]) == cut.threshold).sum())
            for model, cut in zip(self.models, self.cuts, strict=True)
        )
        return [*state, ((block.tensor, block.span.start), counts)]

    def merge(self, left: Ledger, right: Ledger) -> Ledger:
        """Left's blocks, then right's; left grows, so that long models stay cheap."""
        left += right
        return left

    def finish(self, state: Ledger) -> tuple[Cut, ...]:
        """The cuts with the number of equal elements before each block."""
        return _with_ties(self.cuts, [key for key, _ in state], [row for _, row in state])


def _with_ties(
    cuts: tuple[Cut, ...], keys: Sequence[BlockKey], rows: Sequence[Sequence[int]]
) -> tuple[Cut, ...]:
    """The cuts with the number of equal elements before each block, from those in each block."""
    counts = np.array(rows, np.int64).reshape(len(keys), len(cuts))
    before = np.cumsum(counts, 0) - counts
    return tuple(
        cut
        if cut.spare is None
        else Cut(
            threshold=cut.threshold,
            spare=cut.spare,
            ties=MappingProxyType(dict(zip(keys, map(Ties, left, here), strict=True))),
        )
        for cut, left, here in zip(cuts, before.T.tolist(), counts.T.tolist(), strict=True)
    )
