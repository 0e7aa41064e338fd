"""Philox4x32-10 (Salmon et al. 2011): random words as a function of a key and a counter.

All ten rounds of a block are one expression, so that many blocks go through them side by side in
the registers of a processor with vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.kernel import compiled

BLOCK_BITS = 128
_MULTIPLY = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_RAISE = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_TWO, _ONE = np.uint64(2), np.uint64(1)


@compiled
def philox(key: Any, row: Any, first: Any, out: Any) -> None:
    """Fill ``out`` with the blocks of a row from ``first`` onwards.

    The four words of a block, and those of its counter, stand in the order of their names in the
    paper, the first in the lower half of a word of 64 bits.

    Args:
        key: uint64.
        row: uint64, the upper half of the counter.
        first: uint64, its lower half for the first block.
        out: uint64 (2 * blocks,).
    """
    k0 = key
    k1 = _raised(k0)
    k2 = _raised(k1)
    k3 = _raised(k2)
    k4 = _raised(k3)
    k5 = _raised(k4)
    k6 = _raised(k5)
    k7 = _raised(k6)
    k8 = _raised(k7)
    k9 = _raised(k8)
    for block in range(out.size // 2):
        count = first + np.uint64(block)
        a, b, c, d = _round(count, count >> _HALF, row, row >> _HALF, k0)
        a, b, c, d = _round(a, b, c, d, k1)
        a, b, c, d = _round(a, b, c, d, k2)
        a, b, c, d = _round(a, b, c, d, k3)
        a, b, c, d = _round(a, b, c, d, k4)
        a, b, c, d = _round(a, b, c, d, k5)
        a, b, c, d = _round(a, b, c, d, k6)
        a, b, c, d = _round(a, b, c, d, k7)
        a, b, c, d = _round(a, b, c, d, k8)
        a, b, c, d = _round(a, b, c, d, k9)
        place = np.uint64(block) * _TWO
        out[place] = (a & _LOW) | (b << _HALF)
        out[place + _ONE] = (c & _LOW) | (d << _HALF)


@compiled
def _round(a: Any, b: Any, c: Any, d: Any, key: Any) -> Any:
    """One round; of each word only the lower half counts, the upper may hold anything."""
    left, right = (a & _LOW) * _MULTIPLY[0], (c & _LOW) * _MULTIPLY[1]
    return (right >> _HALF) ^ b ^ (key & _LOW), right, (left >> _HALF) ^ d ^ (key >> _HALF), left


@compiled
def _raised(key: Any) -> Any:
    """The key of the next round: both halves raised."""
    return ((key + _RAISE[0]) & _LOW) | (((key >> _HALF) + _RAISE[1]) << _HALF)
