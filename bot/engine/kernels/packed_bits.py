"""Marks, a byte of 0 or 1 each: packed into bits, unpacked, and listed.

Bit k of byte i is the mark of element 8 i + k.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.kernel import compiled

_BYTE_TO_BYTES, _BIT_TO_BYTE = np.uint64(0x0101010101010101), np.uint64(0x8040201008040201)
_BITS_TO_TOP, _ANY_BIT = np.uint64(0x0102040810204080), np.uint64(0x7F7F7F7F7F7F7F7F)
_TOP, _SEVEN = np.uint64(56), np.uint64(7)
_EIGHT_TWICE = np.uint64(0x0000000800000008)
_HALF, _TWO, _ONE = np.uint64(32), np.uint64(2), np.uint64(1)


@compiled
def unpack(dropped: Any, count: int, marks: Any) -> None:
    """Bits as bytes of 0 or 1, eight of them in each uint64 of ``marks``."""
    for i in range((count + 7) // 8):
        spread = (np.uint64(dropped[i]) * _BYTE_TO_BYTES) & _BIT_TO_BYTE
        marks[i] = ((spread + _ANY_BIT) >> _SEVEN) & _BYTE_TO_BYTES


@compiled
def pack(marks: Any, count: int, dropped: Any) -> None:
    """The reverse; marks beyond ``count``, up to a multiple of 8, become 0."""
    single = marks.view(np.uint8)
    for j in range(count, (count + 7) // 8 * 8):
        single[j] = 0
    for i in range((count + 7) // 8):
        dropped[i] = (marks[i] * _BITS_TO_TOP) >> _TOP


@compiled
def places(marks: Any, table: Any, found: Any) -> int:
    """List the marks that are 1, eight at a time and without a branch; how many there are.

    Args:
        marks: uint64 (elements / 8,).
        table: see ``places_in_eight``.
        found: uint32 (elements + 8,), set to the places of the marks, and undefined after them.
    """
    count = np.uint64(0)
    for i in range(marks.size):
        eight = (marks[i] * _BITS_TO_TOP) >> _TOP
        before = np.uint64(i) * _EIGHT_TWICE
        for pair in range(4):
            two, place = table[eight, pair] + before, count + np.uint64(pair) * _TWO
            found[place] = np.uint32(two)
            found[place + _ONE] = np.uint32(two >> _HALF)
        count += (marks[i] * _BYTE_TO_BYTES) >> _TOP
    return int(count)


@cache
def places_in_eight() -> npt.NDArray[np.uint64]:
    """For each byte the places of its bits that are set, then others: pairs of uint32, (256, 4)."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    order = np.argsort(1 - bits.astype(np.int8), axis=1, kind="stable")
    return order.astype("<u4").view("<u8")
