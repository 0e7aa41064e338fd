"""Arguments with which the task vector kernels sparsify a grain as the methods define it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.dare_masks import BATCH, even_drops, size_of_words
from bot.engine.kernels.della_masks import rival_drops, row_scratch
from bot.engine.kernels.magnitude_histogram_kernel import reach_equal
from bot.engine.kernels.scratch import marks, scratch
from bot.engine.kernels.stored_grain import StoredGrain
from bot.engine.random_masks import even_threshold
from bot.methods.core.method_input import Block
from bot.methods.della import MagPrune
from bot.methods.operators.random_drop import Drop
from bot.methods.operators.sparsify import Band, Trim
from bot.methods.reductions.kth_magnitude import Cut

_LARGEST, _NEVER = 0x7FFFFFFF, 0xFFFFFFFF
_ALL = (0, _LARGEST)
"""A band of every magnitude."""
_NONE = (_NEVER, 0)
"""A band of no magnitude."""

Dropped = npt.NDArray[np.uint8]


class SparsifyArgs(NamedTuple):
    """Arguments of the kernels.

    Attributes:
        ends: int64 (parts,), where parts of the grain end that have bands of their own.
        bands: uint32 (parts, models, 2), the least magnitude's bits, and how far up from there.
        dropped: uint8 (models, elements / 8), bits of what becomes a zero of its own sign, or
            (0, 0) where bands decide.
    """

    ends: npt.NDArray[np.int64]
    bands: npt.NDArray[np.uint32]
    dropped: Dropped


NO_DROPS = np.empty((0, 0), np.uint8)
SparsifyRule = Callable[[StoredGrain], SparsifyArgs]


def sparsify_args(
    sparsify: Callable[[Block], Any] | None, *, again: bool = False
) -> SparsifyRule | None:
    """The kernels' form of a sparsification, or None where no kernel knows it.

    Args:
        sparsify: None keeps every element.
        again: whether another pass over the tensor will ask for the same, so that random masks
            are kept for it.
    """
    if sparsify is None:
        return lambda grain: _whole(grain, NO_DROPS)
    if isinstance(sparsify, Trim):
        return _by_cuts(sparsify.cuts, [None] * len(sparsify.cuts))
    if isinstance(sparsify, Band):
        return _by_cuts(sparsify.cuts[::2], sparsify.cuts[1::2])
    if isinstance(sparsify, MagPrune):
        return _with_kept_masks(sparsify, _ranked(sparsify), again=again)
    if type(sparsify) is Drop:
        return _with_kept_masks(sparsify, _even(sparsify), again=again)
    return None


def _whole(grain: StoredGrain, dropped: Dropped) -> SparsifyArgs:
    """A grain in one part, with magnitudes of any size."""
    return SparsifyArgs(
        np.array([grain.elements], np.int64), np.array([[_ALL] * grain.models], np.uint32), dropped
    )


class _Edge(NamedTuple):
    """A cut as a grain meets it: elements at the threshold are above it up to a place, then below.

    ``bits`` are the threshold's.
    """

    bits: int
    place: int

    @classmethod
    def of(cls, cut: Cut, grain: StoredGrain, model: int) -> _Edge:
        bits = int(cut.bits)
        if cut.spare is None:
            return cls(bits, grain.elements)
        ties = cut.ties[grain.tensor, grain.span.start]
        above = cut.spare - ties.before
        if above <= 0 or above >= ties.here:
            return cls(bits, 0 if above <= 0 else grain.elements)
        inputs = grain.row(0), grain.row(model + 1), grain.shift
        return cls(bits, int(reach_equal(*inputs, cut.bits, above)))

    def lowest(self, start: int) -> int:
        """The bits of the least magnitude above, in a part that starts there."""
        return self.bits if start < self.place else self.bits + 1


def _by_cuts(lower: Sequence[Cut], upper: Sequence[Cut | None]) -> SparsifyRule:
    """Elements between two cuts; a grain whose ties are on both sides of one is in two parts."""

    def sparsify(grain: StoredGrain) -> SparsifyArgs:
        low = [_Edge.of(cut, grain, model) for model, cut in enumerate(lower)]
        high = [
            None if cut is None else _Edge.of(cut, grain, model) for model, cut in enumerate(upper)
        ]
        places = {edge.place for edge in (*low, *high) if edge is not None}
        ends = sorted(places - {0} | {grain.elements})
        bands = [
            [_band(edges, start) for edges in zip(low, high, strict=True)]
            for start in (0, *ends[:-1])
        ]
        return SparsifyArgs(np.array(ends, np.int64), np.array(bands, np.uint32), NO_DROPS)

    return sparsify


def _band(edges: tuple[_Edge, _Edge | None], start: int) -> tuple[int, int]:
    low, high = edges
    lowest = low.lowest(start)
    highest = _LARGEST if high is None else high.lowest(start) - 1
    return (lowest, highest - lowest) if lowest <= highest else _NONE


def _no_drops(grain: StoredGrain) -> Dropped:
    return np.zeros((grain.models, -(-grain.elements // 8)), np.uint8)


Drawing = Callable[[StoredGrain, int, Dropped], None]
"""Sets the bits of a grain's elements that a model drops."""
KEPT_MASK_ELEMENTS = 1 << 26
"""Tensors up to this size keep their masks between passes: 8 MiB per model."""


def _with_kept_masks(
    sparsify: Drop, drawing: Drawing | None, *, again: bool
) -> SparsifyRule | None:
    """Use the masks of an earlier pass; else draw them, and keep them if there is a later pass."""
    if drawing is None:
        return None

    def take(grain: StoredGrain) -> SparsifyArgs:
        key = (sparsify, grain.span.start)
        dropped = grain.kept_masks.get(key) if again else grain.kept_masks.pop(key, None)
        if dropped is None:
            dropped = _drawn(sparsify, drawing, grain)
            if again and grain.span.elements <= KEPT_MASK_ELEMENTS:
                grain.kept_masks[key] = dropped
        return _whole(grain, dropped)

    return take


def _drawn(sparsify: Drop, drawing: Drawing, grain: StoredGrain) -> Dropped:
    dropped = _no_drops(grain)
    for model, share in enumerate(sparsify.density):
        if share < 1:
            drawing(grain, model, dropped[model])
    return dropped


def _even(drop: Drop) -> Drawing | None:
    """DARE's drops; a density of nothing is left to the plain definition."""
    if min(drop.density) <= 0:
        return None

    def draw(grain: StoredGrain, model: int, dropped: Dropped) -> None:
        bits, limit = even_threshold(drop.density[model])
        if limit < 1 << bits:
            even_drops(
                grain.draws.key(model, str(bits)), bits, grain.span.start, grain.elements,
                np.uint32(limit), dropped,
                scratch("words", (size_of_words(BATCH, bits),), np.uint64), marks(BATCH),
            )  # fmt: skip

    return draw


def _ranked(prune: MagPrune) -> Drawing | None:
    """DELLA's drops."""
    even = _even(prune)
    if even is None:
        return None

    def draw(grain: StoredGrain, model: int, dropped: Dropped) -> None:
        width = grain.width
        if prune.is_even(model, width):
            even(grain, model, dropped)
            return
        rows = max(BATCH // width // 8, 1) * 8
        rival_drops(
            grain.row(0), grain.row(model + 1), grain.shift, width, *prune.bounds(model),
            grain.draws.key(model, "row"), np.uint64(grain.span.start // width), dropped,
            marks(rows * width), *row_scratch(width),
        )  # fmt: skip

    return draw
