"""What the kernels of task vectors need to know to thin out one grain as the methods do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.drops import even_drops, ranked_drops
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
    dropped: npt.NDArray[np.uint8]


NO_CUTS = np.empty((0, 2), np.float32)
NO_ROOM = np.empty((0, 2), np.int64)
NO_DROPS = np.empty((0, 0), np.uint8)
Thinner = Callable[[StoredGrain], Thin]


def thinner(thin: Callable[[Block], Any] | None, *, again: bool = False) -> Thinner | None:
    """The kernels' form of a thinning, or None when they do not know it.

    Args:
        thin: None leaves everything as it is.
        again: whether another pass over the tensor will ask for the same, so that what is drawn
            at random is worth remembering.
    """
    if thin is None:
        return lambda _: Thin(NO_CUTS, NO_ROOM, NO_DROPS)
    if isinstance(thin, Trim):
        return _by_cuts(thin.cuts, [None] * len(thin.cuts))
    if isinstance(thin, Band):
        return _by_cuts(thin.cuts[::2], thin.cuts[1::2])
    if isinstance(thin, MagPrune):
        return _remembered(thin, _ranked(thin), again=again)
    if type(thin) is Drop:
        return _remembered(thin, _even(thin), again=again)
    return None


def _by_cuts(outer: Sequence[Cut], inner: Sequence[Cut | None]) -> Thinner:
    pairs = list(zip(outer, inner, strict=True))
    cuts = np.array([[low.threshold, _threshold(high)] for low, high in pairs], np.float32)

    def thin(grain: StoredGrain) -> Thin:
        room = [[_room(low, grain), _room(high, grain)] for low, high in pairs]
        return Thin(cuts, np.array(room, np.int64), NO_DROPS)

    return thin


def _threshold(cut: Cut | None) -> float:
    return float("inf") if cut is None else cut.threshold


def _room(cut: Cut | None, grain: StoredGrain) -> int:
    if cut is None or cut.spare is None:
        return _UNLIMITED
    return cut.spare - cut.earlier[grain.tensor, grain.span.start]


Drawing = Callable[[StoredGrain, int, npt.NDArray[np.uint8]], None]
"""Sets the bits of a grain's elements that a model drops."""
_NEARLY_ONE = 1 - 1e-6
"""Above it a probability may be 1 in float32, and its threshold too large for 32 bits."""
REMEMBERED_ELEMENTS = 1 << 26
"""Tensors up to this size remember their draws: 8 MiB per model."""


def _remembered(thin: Drop, drawing: Drawing | None, *, again: bool) -> Thinner | None:
    """Take the draws of an earlier pass; without one draw, and remember it for the next."""
    if drawing is None:
        return None

    def take(grain: StoredGrain) -> Thin:
        key = (thin, grain.span.start)
        dropped = grain.drawn.get(key) if again else grain.drawn.pop(key, None)
        if dropped is None:
            dropped = _drawn(thin, drawing, grain)
            if again and grain.span.elements <= REMEMBERED_ELEMENTS:
                grain.drawn[key] = dropped
        return Thin(NO_CUTS, NO_ROOM, dropped)

    return take


def _drawn(thin: Drop, drawing: Drawing, grain: StoredGrain) -> npt.NDArray[np.uint8]:
    dropped = np.zeros((len(thin.density), -(-grain.elements // 8)), np.uint8)
    for model, share in enumerate(thin.density):
        if share < 1:
            drawing(grain, model, dropped[model])
    return dropped


def _even(drop: Drop) -> Drawing | None:
    """DARE's drops; a density of nothing is left to the plain definition."""
    if min(drop.density) <= 0:
        return None

    def draw(grain: StoredGrain, model: int, dropped: npt.NDArray[np.uint8]) -> None:
        bits, limit = even_threshold(drop.density[model])
        if limit < 1 << bits:
            key = grain.draws.key(model, bits)
            even_drops(key, bits, grain.span.start, grain.elements, np.uint32(limit), dropped)

    return draw


def _ranked(prune: MagPrune) -> Drawing | None:
    """DELLA's drops."""
    even = _even(prune)
    sums = map(sum, zip(prune.density, prune.epsilon, strict=True))
    highest = max((share for share in sums if share < 1), default=0.0)
    if even is None or highest > _NEARLY_ONE:
        return None

    def draw(grain: StoredGrain, model: int, dropped: npt.NDArray[np.uint8]) -> None:
        if grain.width < 2 or prune.epsilon[model] == 0:
            even(grain, model, dropped)
            return
        bits, table = rank_limits(prune, model, grain.width)
        key, rows = grain.draws.key(model, bits), (grain.row(0), grain.row(model + 1))
        ranked_drops(*rows, grain.shift, grain.width, table, key, bits, grain.span.start, dropped)

    return draw


def rank_limits(prune: MagPrune, model: int, width: int) -> tuple[int, npt.NDArray[np.uint32]]:
    """How wide DELLA's words are, and the limit of each rank in rows of that width."""
    density, epsilon = prune.density[model], prune.epsilon[model]
    rank = np.arange(width, dtype=np.float32)  # the definition's dtype, hence its rounding
    chance = rank * (2 * epsilon / (width - 1)) + (density - epsilon)
    bits = word_bits(*prune.bounds(model))
    return bits, np.rint(chance.astype(np.float64) * float(1 << bits)).astype(np.uint32)
