"""Marks packed into bits: bit k of byte i is that of element 8 i + k."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

_BYTE_TO_BYTES, _BIT_TO_BYTE = np.uint64(0x0101010101010101), np.uint64(0x8040201008040201)
_BITS_TO_TOP, _ANY_BIT = np.uint64(0x0102040810204080), np.uint64(0x7F7F7F7F7F7F7F7F)
_TOP, _SEVEN = np.uint64(56), np.uint64(7)


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
