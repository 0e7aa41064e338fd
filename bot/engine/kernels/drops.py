"""Random drops, drawn a cache's worth at a time and kept as bits: 1 where an element is dropped.

The words are those of ``bot.engine.masks``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.bits import pack
from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.philox import philox
from bot.engine.kernels.ranks import rank_drops

BATCH = 1 << 15
"""Elements whose words are drawn at once."""
BLOCK_BITS = 256


@compiled
def even_drops(
    key: Any, bits: int, start: int, count: int, limit: Any, dropped: Any, raw: Any, words: Any,
    marks: Any,
) -> None:  # fmt: skip
    """Drop elements whose word is not below a limit.

    Args:
        key: uint64 (2,), of the tensor and model.
        bits: how wide a word is: 16 or 32.
        start: the index of the first element in its tensor.
        count: how many elements.
        limit: uint32.
        dropped: uint8 (count / 8,), set.
        raw: uint64, room for the words of a batch; see ``draw``.
        words: as in ``philox``.
        marks: uint64 (batch / 8,).
    """
    for first in range(0, count, BATCH):
        found = min(BATCH, count - first)
        skip = draw(key, bits, start + first, found, raw, words)
        if bits == 16:
            _mark(raw.view(np.uint16)[skip : skip + found], limit, marks.view(np.uint8))
        else:
            _mark(raw.view(np.uint32)[skip : skip + found], limit, marks.view(np.uint8))
        pack(marks, found, dropped[first // 8 :])


@compiled
def ranked_drops(
    base: Any, model: Any, shift: Any, width: int, table: Any, key: Any, bits: int, start: int,
    dropped: Any, raw: Any, words: Any, marks: Any, work: Any, flags: Any,
) -> None:  # fmt: skip
    """Drop by rank of ``|model - base|`` within a row, as ``rank_drops``.

    Args:
        base: uint16 or uint32 (elements,), whole rows.
        model: likewise.
        shift: 16 for uint16, 0 for uint32.
        width: elements per row.
        table: uint32 (width,), the limit of each rank, never falling.
        key: as in ``even_drops``, and so are the next two.
        bits: likewise.
        start: likewise.
        dropped: uint8 (elements / 8,), set.
        raw: uint64, room for the words of as many elements as there are marks; see ``draw``.
        words: as in ``philox``.
        marks: uint64 (elements / 8,), for a multiple of eight rows.
        work: as in ``rank_drops``.
        flags: likewise.
    """
    batch, first = 8 * marks.size, 0
    while first < base.size:
        stop = min(first + batch, base.size)
        found = stop - first
        skip = draw(key, bits, start + first, found, raw, words)
        rows = base[first:stop], model[first:stop], shift, width, table
        if bits == 16:
            narrow = raw.view(np.uint16)[skip : skip + found]
            rank_drops(*rows, narrow, marks.view(np.uint8)[:found], work, flags)
        else:
            wide = raw.view(np.uint32)[skip : skip + found]
            rank_drops(*rows, wide, marks.view(np.uint8)[:found], work, flags)
        pack(marks, found, dropped[first // 8 :])
        first = stop


@compiled
def draw(key: Any, bits: int, start: int, count: int, raw: Any, words: Any) -> int:
    """Fill ``raw`` with the words of some elements; which word is the first one's.

    From any element on there is room in ``4 * (count * bits // 256 + 2)`` words of 64 bits.
    """
    per_block = BLOCK_BITS // bits
    first = start // per_block
    blocks = (start + count + per_block - 1) // per_block - first
    philox(key, np.uint64(first + 1), raw[: 4 * blocks], words)
    return start - first * per_block


@compiled
def _mark(words: Any, limit: Any, marks: Any) -> None:
    for j in range(words.size):
        marks[j] = np.uint8(np.uint32(words[j]) >= limit)
