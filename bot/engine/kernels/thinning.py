"""What the kernels of task vectors need to know to thin out one grain as the methods do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.philox import fused_blocks
from bot.engine.kernels.ranks import rank_drops
from bot.engine.kernels.stored import StoredGrain
from bot.engine.masks import even_threshold, word_bits
from bot.methods.block import Block
from bot.methods.drop import Drop, MagPrune
from bot.methods.reductions.kth_magnitude import Cut
from bot.methods.sparsify import Band, Trim

_UNLIMITED = np.iinfo(np.int64).max


class Thin(NamedTuple):
    """Arguments of the kernels; empty arrays where there is nothing to do."""

    cuts: npt.NDArray[np.float32]
    room: npt.NDArray[np.int64]
    words: npt.NDArray[np.unsignedinteger[Any]]
    limits: npt.NDArray[np.uint64]


NO_CUTS = np.empty((0, 2), np.float32)
NO_ROOM = np.empty((0, 2), np.int64)
NO_WORDS = np.empty((0, 0), np.uint16)
NO_LIMITS = np.empty(0, np.uint64)
Thinner = Callable[[StoredGrain], Thin]


def thinner(thin: Callable[[Block], Any] | None, *, again: bool = False) -> Thinner | None:
    """The kernels' form of a thinning, or None when they do not know it.

    Args:
        thin: None leaves everything as it is.
        again: whether another pass over the tensor will ask for the same, so that what is drawn
            at random is worth remembering.
    """
    if thin is None:
        return lambda _: Thin(NO_CUTS, NO_ROOM, NO_WORDS, NO_LIMITS)
    if isinstance(thin, Trim):
        return _by_cuts(thin.cuts, [None] * len(thin.cuts))
    if isinstance(thin, Band):
        return _by_cuts(thin.cuts[::2], thin.cuts[1::2])
    if isinstance(thin, MagPrune):
        return _remembered(thin, _by_rank(thin), again=again)
    if type(thin) is Drop:
        return _remembered(thin, _by_chance(thin.density), again=again)
    return None


def _by_cuts(outer: Sequence[Cut], inner: Sequence[Cut | None]) -> Thinner:
    pairs = list(zip(outer, inner, strict=True))
    cuts = np.array([[low.threshold, _threshold(high)] for low, high in pairs], np.float32)

    def thin(grain: StoredGrain) -> Thin:
        room = [[_room(low, grain), _room(high, grain)] for low, high in pairs]
        return Thin(cuts, np.array(room, np.int64), NO_WORDS, NO_LIMITS)

    return thin


def _threshold(cut: Cut | None) -> float:
    return float("inf") if cut is None else cut.threshold


def _room(cut: Cut | None, grain: StoredGrain) -> int:
    if cut is None or cut.spare is None:
        return _UNLIMITED
    return cut.spare - cut.earlier[grain.tensor, grain.span.start]


def _by_chance(density: Sequence[float]) -> Thinner | None:
    """Even random drops; a density of nothing is left to the plain definition."""
    thresholds = [even_threshold(share) for share in density if share < 1]
    widths = {bits for bits, _ in thresholds}
    if min(density) <= 0 or len(widths) > 1:
        return None
    (bits,) = widths or {16}
    limits = np.array([even_threshold(min(share, 1.0))[1] for share in density], np.uint64)
    limits[[share >= 1 for share in density]] = 1 << bits

    def thin(grain: StoredGrain) -> Thin:
        start, stop, _ = grain.span
        words = np.zeros((len(density), stop - start), f"<u{bits // 8}")
        for model, share in enumerate(density):
            if share < 1:
                words[model] = grain.draws.words(model, bits, start, stop, fused_blocks)
        return Thin(NO_CUTS, NO_ROOM, words, limits)

    return thin


_DROPPED_BELOW = np.uint64(1)
_NEARLY_ONE = 1 - 1e-6
"""Above it a probability may be 1 in float32, and its threshold too large for 32 bits."""
REMEMBERED_ELEMENTS = 1 << 26
"""Tensors up to this size remember their draws: 8 MiB per model."""


def _remembered(thin: Drop, drawing: Thinner | None, *, again: bool) -> Thinner | None:
    """Take the draws of an earlier pass; without one draw, and remember it for the next."""
    if drawing is None:
        return None
    dropped_below = np.full(len(thin.density), _DROPPED_BELOW)

    def take(grain: StoredGrain) -> Thin:
        key = (thin, grain.span.start)
        known = grain.drawn.get(key) if again else grain.drawn.pop(key, None)
        if known is not None:
            dropped = np.unpackbits(known, axis=1, count=grain.elements)
            return Thin(NO_CUTS, NO_ROOM, dropped, dropped_below)
        drawn = drawing(grain)
        if again and grain.span.elements <= REMEMBERED_ELEMENTS:
            grain.drawn[key] = np.packbits(_dropped(drawn), axis=1)
        return drawn

    return take


def _dropped(drawn: Thin) -> npt.NDArray[np.bool_]:
    """What the words say, in their own width."""
    words, largest = drawn.words, np.iinfo(drawn.words.dtype).max
    dropped = np.zeros(words.shape, np.bool_)
    for row, limit in enumerate(drawn.limits.tolist()):
        if limit <= largest:
            np.greater_equal(words[row], words.dtype.type(limit), out=dropped[row])
    return dropped


def _by_rank(prune: MagPrune) -> Thinner | None:
    """DELLA's drops, as words of 0 (kept) and 1 (dropped)."""
    sums = map(sum, zip(prune.density, prune.epsilon, strict=True))
    highest = max((share for share in sums if share < 1), default=0.0)
    if min(prune.density) <= 0 or highest > _NEARLY_ONE:
        return None
    models = range(len(prune.density))

    def thin(grain: StoredGrain) -> Thin:
        dropped = np.zeros((len(prune.density), grain.elements), np.uint8)
        for model in models:
            if prune.density[model] < 1:
                _mark(prune, model, grain, dropped[model])
        return Thin(NO_CUTS, NO_ROOM, dropped, np.full(len(models), _DROPPED_BELOW))

    return thin


def _mark(prune: MagPrune, model: int, grain: StoredGrain, dropped: npt.NDArray[np.uint8]) -> None:
    density, epsilon = prune.density[model], prune.epsilon[model]
    start, stop, _ = grain.span
    if grain.width < 2 or epsilon == 0:
        bits, limit = even_threshold(density)
        dropped[:] = grain.draws.words(model, bits, start, stop, fused_blocks) >= np.uint64(limit)
        return
    rank = np.arange(grain.width, dtype=np.float32)  # the definition's dtype, hence its rounding
    chance = rank * (2 * epsilon / (grain.width - 1)) + (density - epsilon)
    bits = word_bits(*prune.bounds(model))
    table = np.rint(chance.astype(np.float64) * float(1 << bits)).astype(np.uint32)
    words = grain.draws.words(model, bits, start, stop, fused_blocks)
    rank_drops(grain.row(0), grain.row(model + 1), grain.shift, grain.width, table, words, dropped)
