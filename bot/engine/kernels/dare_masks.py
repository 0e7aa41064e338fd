"""DARE's drops, drawn a cache's worth at a time and kept as bits: 1 where an element is dropped.

The words are those of ``bot.engine.random_masks``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.kernel import compiled
from bot.engine.kernels.packed_bits import pack
from bot.engine.kernels.philox import BLOCK_BITS, philox

BATCH = 1 << 15
"""Elements whose words are drawn at once."""


@compiled
def even_drops(
    key: Any, bits: int, start: int, count: int, limit: Any, dropped: Any, raw: Any, marks: Any
) -> None:
    """Drop elements whose word is not below a limit.

    Args:
        key: uint64, of the tensor and model.
        bits: how wide a word is: 16 or 32.
        start: the index of the first element in its tensor.
        count: how many elements.
        limit: uint32.
        dropped: uint8 (count / 8,), set.
        raw: uint64 (``size_of_words(BATCH, bits)``,), to work in.
        marks: uint64 (batch / 8,), likewise.
    """
    for first in range(0, count, BATCH):
        found = min(BATCH, count - first)
        skip = draw(key, bits, start + first, found, raw)
        if bits == 16:
            _mark(raw.view(np.uint16)[skip : skip + found], limit, marks.view(np.uint8))
        else:
            _mark(raw.view(np.uint32)[skip : skip + found], limit, marks.view(np.uint8))
        pack(marks, found, dropped[first // 8 :])


@compiled
def draw(key: Any, bits: int, start: int, count: int, raw: Any) -> int:
    """Fill ``raw`` with the words of some elements; which word is the first one's."""
    per_block = BLOCK_BITS // bits
    first = start // per_block
    blocks = (start + count + per_block - 1) // per_block - first
    philox(key, np.uint64(0), np.uint64(first), raw[: 2 * blocks])
    return start - first * per_block


def size_of_words(count: int, bits: int) -> int:
    """Room in words of 64 bits for the words of so many elements, from any of them on."""
    return 2 * (count * bits // BLOCK_BITS + 2)


@compiled
def _mark(words: Any, limit: Any, marks: Any) -> None:
    for j in range(words.size):
        marks[j] = np.uint8(np.uint32(words[j]) >= limit)
