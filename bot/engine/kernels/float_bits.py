"""Between stored bits and float32: the words that all kernels are made of.

Stored numbers are integers here: ``uint16`` for bfloat16, ``uint32`` for float32. Shifted left by
16 or 0 they are the bits of a float32. Kernels work on a tile at a time, small enough for the
nearest cache, in loops that do as much as they can at once. Numba widens 32-bit integers whenever
they meet: every step is narrowed again, or the loop's vectors would be half as wide. A tile is
handed over as a slice that begins at 0: an index that could be negative keeps a loop from being
compiled to vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.kernel import compiled

TILE = 2048
MAGNITUDE = np.uint32(0x7FFFFFFF)
INFINITY = np.uint32(0x7F800000)
_ROUNDS_TO_INFINITY = np.uint32(0x7F7F8000)
_BELOW_32 = np.uint32(31)
"""Masks a shift: the compiler must see that it needs no wider numbers."""
NOTHING = np.float32(-0.0)
"""What a sum begins with: added to it, every number stays what it is, -0 too."""
_HALF, _ONE, _NONE = np.uint32(0x7FFF), np.uint32(1), np.uint32(0)


@compiled
def number(stored: Any, shift: Any) -> Any:
    """The float32 that a stored number is."""
    return np.uint32(np.uint32(stored) << np.uint32(shift & _BELOW_32)).view(np.float32)


@compiled
def difference(model: Any, base: Any, shift: Any) -> Any:
    """The delta of two stored numbers, float32."""
    return np.float32(number(model, shift) - number(base, shift))


@compiled
def bits_of(value: Any) -> Any:
    """The bits of a float32."""
    return np.float32(value).view(np.uint32)


@compiled
def magnitude_bits(value: Any) -> Any:
    """The bits of ``|value|``, which are ordered as the magnitudes are."""
    return np.uint32(np.float32(value).view(np.uint32) & MAGNITUDE)


@compiled
def larger(left: Any, right: Any) -> Any:
    """The larger of two words."""
    return np.uint32(max(left, right))


@compiled
def widen(row: Any, shift: Any, values: Any) -> None:
    """Stored numbers as float32."""
    for j in range(values.size):
        values[j] = number(row[j], shift)


@compiled
def rounded(word: Any, shift: Any, half: Any, one: Any) -> Any:
    """The bits of a float32 to nearest even as they are stored; see ``rounding``.

    Not for NaNs, whose rounding may carry: those are found and the result is thrown away.
    """
    down = np.uint32(shift & _BELOW_32)
    odd = np.uint32(np.uint32(word >> down) & one)
    return np.uint32(np.uint32(np.uint32(word + half) + odd) >> down)


@compiled
def rounding(shift: Any) -> tuple[Any, Any]:
    """``half`` and ``one`` of ``rounded``: nothing to round where numbers are stored whole."""
    return (_HALF, _ONE) if shift else (_NONE, _NONE)


@compiled
def store(values: Any, shift: Any, out: Any) -> bool:
    """Round float32 values into a tile of ``out``; whether all of it is finite."""
    half, one = rounding(shift)
    largest = _NONE
    for j in range(out.size):
        word = bits_of(values[j])
        largest = larger(largest, np.uint32(word & MAGNITUDE))
        out[j] = rounded(word, shift, half, one)
    return within(largest, shift)


@compiled
def within(largest: Any, shift: Any) -> bool:
    """Whether results up to that magnitude are finite when they are stored."""
    return bool(largest < (_ROUNDS_TO_INFINITY if shift else INFINITY))
