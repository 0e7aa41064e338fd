"""Random drops, drawn a cache's worth at a time and kept as bits: 1 where an element is dropped.

Bit k of byte i is element 8 i + k. The words are those of ``bot.engine.masks``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.philox import philox
from bot.engine.kernels.ranks import rank_drops

_BATCH = 1 << 15
_BLOCK_BITS = 256
_BYTE_TO_BYTES, _BIT_TO_BYTE = np.uint64(0x0101010101010101), np.uint64(0x8040201008040201)
_BITS_TO_TOP, _ANY_BIT = np.uint64(0x0102040810204080), np.uint64(0x7F7F7F7F7F7F7F7F)
_TOP, _SEVEN = np.uint64(56), np.uint64(7)


@compiled
def even_drops(key: Any, bits: int, start: int, count: int, limit: Any, dropped: Any) -> None:
    """Drop elements whose word is not below a limit.

    Args:
        key: uint64 (2,), of the tensor and model.
        bits: how wide a word is: 16 or 32.
        start: the index of the first element in its tensor.
        count: how many elements.
        limit: uint32.
        dropped: uint8 (count / 8,), set.
    """
    raw, marks = _words(min(_BATCH, count), bits), np.empty(_BATCH, np.uint8)
    for first in range(0, count, _BATCH):
        found = min(_BATCH, count - first)
        skip = _draw(key, bits, start + first, found, raw)
        if bits == 16:
            _mark(raw.view(np.uint16)[skip : skip + found], limit, marks)
        else:
            _mark(raw.view(np.uint32)[skip : skip + found], limit, marks)
        _pack(marks, found, dropped[first // 8 :])


@compiled
def ranked_drops(
    base: Any, model: Any, shift: Any, width: int, table: Any, key: Any, bits: int, start: int,
    dropped: Any,
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
    """
    batch = min(max(_BATCH // width // 8, 1) * 8 * width, base.size)
    raw, marks = _words(batch, bits), np.empty(batch + 8, np.uint8)
    for first in range(0, base.size, max(batch, 1)):
        stop = min(first + batch, base.size)
        found = stop - first
        skip = _draw(key, bits, start + first, found, raw)
        rows = base[first:stop], model[first:stop], shift, width, table
        if bits == 16:
            rank_drops(*rows, raw.view(np.uint16)[skip : skip + found], marks[:found])
        else:
            rank_drops(*rows, raw.view(np.uint32)[skip : skip + found], marks[:found])
        _pack(marks, found, dropped[first // 8 :])


@compiled
def unpack(dropped: Any, count: int, marks: Any) -> None:
    """Bits as bytes of 0 or 1; ``marks`` has room for a multiple of 8."""
    eights = marks.view(np.uint64)
    for i in range((count + 7) // 8):
        spread = (np.uint64(dropped[i]) * _BYTE_TO_BYTES) & _BIT_TO_BYTE
        eights[i] = ((spread + _ANY_BIT) >> _SEVEN) & _BYTE_TO_BYTES


@compiled
def _pack(marks: Any, count: int, dropped: Any) -> None:
    for j in range(count, (count + 7) // 8 * 8):
        marks[j] = 0
    eights = marks[: marks.size // 8 * 8].view(np.uint64)
    for i in range((count + 7) // 8):
        dropped[i] = (eights[i] * _BITS_TO_TOP) >> _TOP


@compiled
def _words(count: int, bits: int) -> Any:
    """Room for the words of so many elements, from any of them on."""
    return np.empty(4 * (count * bits // _BLOCK_BITS + 2), np.uint64)


@compiled
def _draw(key: Any, bits: int, start: int, count: int, raw: Any) -> int:
    """Fill the room with the words of some elements; which word is the first one's."""
    per_block = _BLOCK_BITS // bits
    first = start // per_block
    blocks = (start + count + per_block - 1) // per_block - first
    philox(key, np.uint64(first + 1), raw[: 4 * blocks])
    return start - first * per_block


@compiled
def _mark(words: Any, limit: Any, marks: Any) -> None:
    for j in range(words.size):
        marks[j] = np.uint8(words[j] >= limit)
