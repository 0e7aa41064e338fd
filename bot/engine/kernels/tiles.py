"""Between stored bits and float32, a tile at a time, small enough for the nearest caches.

Stored numbers are integers here: ``uint16`` for bfloat16, ``uint32`` for float32. Shifted left by
16 or 0 they are the bits of a float32. A tile is handed over as a slice that begins at 0: an index
that could be negative keeps a loop from being compiled to vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled

TILE = 4096
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_INFINITY = np.uint32(0x7F800000)
_ROUNDS_TO_INFINITY = np.uint32(0x7F7F8000)
_HALF = np.uint32(0x7FFF)
_ONE = np.uint32(1)


@compiled
def load(source: Any, shift: Any, bits: Any) -> bool:
    """Fill ``bits`` (uint32) from the stored numbers of a tile; whether all of it is finite."""
    largest = np.uint32(0)
    for j in range(source.size):
        word = np.uint32(source[j]) << shift
        bits[j] = word
        largest = max(largest, word & _MAGNITUDE)
    return bool(largest < _INFINITY)


@compiled
def store(bits: Any, shift: Any, out: Any) -> bool:
    """Round ``bits`` to nearest even into a tile of ``out``; whether all of it is finite.

    Not for NaNs, whose rounding may carry: those are found here and the result is thrown away.
    """
    largest = np.uint32(0)
    if shift == 0:
        for j in range(out.size):
            out[j] = bits[j]
            largest = max(largest, bits[j] & _MAGNITUDE)
        return bool(largest < _INFINITY)
    for j in range(out.size):
        word = bits[j]
        largest = max(largest, word & _MAGNITUDE)
        out[j] = (word + _HALF + ((word >> shift) & _ONE)) >> shift
    return bool(largest < _ROUNDS_TO_INFINITY)
