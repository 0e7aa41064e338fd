"""The exact k-th largest magnitude among elements, without sorting and without holding them.

A float32 magnitude, read as an integer, sorts like its value. Two passes of 65,536-bin histograms,
over the high and then the low 16 bits, find the k-th magnitude exactly. Where more elements share
it than k has room for, a third pass counts them per block, so that the ones of lowest index are
kept and exactly k survive. bf16 parents need this: much of a tensor can sit at the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor import TensorSpec
from bot.methods.block import Array, Block

Counts = npt.NDArray[np.int64]
Scope = Literal["tensor", "model"]
Values = Callable[[Block], tuple[Array, ...]]
BINS = 1 << 16


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
    """One question: the k-th largest magnitude in row ``model`` of the values ranked."""

    model: int
    count: Callable[[int], int]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """An answer: which elements are the k largest.

    An element is kept when its magnitude is above ``threshold`` (a float32 value), or equal to it
    and one of the first ``spare`` such elements. ``spare`` None keeps all equal ones. ``earlier``
    tells how many equal elements lie before a block: (tensor, first element) -> count.
    """

    threshold: float
    spare: int | None = None
    earlier: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def keeps(self, magnitude: Array, block: Block) -> Array:
        """Boolean mask of the kept elements of a block, of the shape of ``magnitude``."""
        above: Array = magnitude > self.threshold
        equal: Array = magnitude == self.threshold
        if self.spare is None:
            return above | equal
        room = self.spare - self.earlier[block.tensor, block.span.start]
        place = block.xp.cumsum(equal.reshape(-1), 0).reshape(equal.shape)
        kept: Array = above | (equal & (place <= room))
        return kept


KEEP_NONE = Cut(threshold=float("inf"))


def magnitude_bits(delta: Array) -> npt.NDArray[np.uint32]:
    """``|delta|`` as integers that sort like the magnitudes, flat."""
    flat = np.ascontiguousarray(delta, dtype=np.float32).reshape(-1)
    return flat.view(np.uint32) & np.uint32(0x7FFFFFFF)


def value_of(bits: int) -> float:
    """The float32 whose bit pattern this is."""
    return float(np.uint32(bits).view(np.float32))


@dataclass(frozen=True)
class KthMagnitude:
    """First pass: histograms of the high 16 bits of the magnitudes.

    Args:
        targets: the questions; several may concern one model.
        scope: whether n counts one tensor or the whole model.
        values: what is ranked, one array per row; the deltas unless said otherwise.

    State: int64 (rows, 65536). Statistic: one ``Cut`` per target.
    """

    targets: tuple[Target, ...]
    scope: Scope = "tensor"
    values: Values = deltas

    def empty(self, _spec: TensorSpec, _models: int, /) -> Counts:
        """No element counted."""
        rows = 1 + max(target.model for target in self.targets)
        return np.zeros((rows, BINS), np.int64)

    def update(self, state: Counts, block: Block) -> Counts:
        """Count a block."""
        for row, values in enumerate(self.values(block)):
            state[row] += np.bincount(magnitude_bits(values) >> 16, minlength=BINS)
        return state

    def merge(self, left: Counts, right: Counts) -> Counts:
        """Add the counts."""
        return left + right

    def finish(self, state: Counts) -> LowBits | tuple[Cut, ...]:
        """Where each k-th magnitude lies to within 16 bits."""
        places = tuple(
            _place(state[target.model], target.count(int(state[target.model].sum())))
            for target in self.targets
        )
        settled = tuple(place for place in places if isinstance(place, Cut))
        if len(settled) == len(places):
            return settled
        models = tuple(target.model for target in self.targets)
        return LowBits(models, places, self.scope, self.values)


@dataclass(frozen=True)
class Place:
    """Where the k-th magnitude was found: its bin, and how many of the bin's elements k takes."""

    bin: int
    wanted: int
    held: int


def _place(counts: Counts, k: int) -> Place | Cut:
    elements = int(counts.sum())
    if k <= 0 or not elements:
        return KEEP_NONE
    k = min(k, elements)
    from_top = np.cumsum(counts[::-1])
    step = int(np.searchsorted(from_top, k))
    bin_ = len(counts) - 1 - step
    held = int(counts[bin_])
    return Place(bin=bin_, wanted=k - (int(from_top[step]) - held), held=held)


@dataclass(frozen=True)
class LowBits:
    """Second pass: histograms of the low 16 bits inside each target's bin.

    State: int64 (targets, 65536).
    """

    models: tuple[int, ...]
    places: tuple[Place | Cut, ...]
    scope: Scope
    values: Values

    def empty(self, _spec: TensorSpec, _models: int, /) -> Counts:
        """No element counted."""
        return np.zeros((len(self.places), BINS), np.int64)

    def update(self, state: Counts, block: Block) -> Counts:
        """Count a block."""
        values = self.values(block)
        for row, (model, place) in enumerate(zip(self.models, self.places, strict=True)):
            if isinstance(place, Place):
                bits = magnitude_bits(values[model])
                state[row] += np.bincount(bits[bits >> 16 == place.bin] & 0xFFFF, minlength=BINS)
        return state

    def merge(self, left: Counts, right: Counts) -> Counts:
        """Add the counts."""
        return left + right

    def finish(self, state: Counts) -> TiesBefore | tuple[Cut, ...]:
        """The k-th magnitudes; ties that k has no room for ask for a third pass."""
        cuts = tuple(map(_resolve, self.places, state))
        if all(cut.spare is None for cut in cuts):
            return cuts
        return TiesBefore(self.models, cuts, self.scope, self.values)


def _resolve(place: Place | Cut, counts: Counts) -> Cut:
    if isinstance(place, Cut):
        return place
    low = _place(counts, place.wanted)
    if isinstance(low, Cut):  # pragma: no cover - the bin holds what the first pass counted
        return low
    bits = place.bin << 16 | low.bin
    if low.wanted == low.held or bits == 0:  # equal zeros are zero, kept or not
        return Cut(threshold=value_of(bits))
    return Cut(threshold=value_of(bits), spare=low.wanted)


Ledger = list[tuple[tuple[str, int], tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class TiesBefore:
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
        keys = [key for key, _ in state]
        counts = np.array([row for _, row in state], np.int64).reshape(len(keys), len(self.cuts))
        before = np.cumsum(counts, 0) - counts
        return tuple(
            cut
            if cut.spare is None
            else Cut(
                threshold=cut.threshold,
                spare=cut.spare,
                earlier=MappingProxyType(dict(zip(keys, before[:, number].tolist(), strict=True))),
            )
            for number, cut in enumerate(self.cuts)
        )
