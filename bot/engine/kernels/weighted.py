"""``sum_i(c_i * x_i)``, perhaps divided: linear, slerp and other combinations of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.compiled import compiled
from bot.engine.kernels.tiles import TILE, load, store


@compiled
def weighted_sum(
    stored: Any, first: int, shift: Any, coefficients: Any, divisor: Any, out: Any, out_shift: Any
) -> bool:
    """Combine rows of stored numbers into ``out``; False where anything is not finite.

    Args:
        stored: uint16 or uint32 (inputs, columns).
        first: the column where ``out`` begins.
        shift: 16 for uint16, 0 for uint32.
        coefficients: float32, one per input.
        divisor: float32; 1 divides by nothing.
        out: uint16 or uint32 (elements,).
        out_shift: as ``shift``, for ``out``.
    """
    bits, total_bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    values, total = bits.view(np.float32), total_bits.view(np.float32)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        for i in range(stored.shape[0]):
            finite &= load(stored[i, first + start : first + stop], shift, bits)
            if i == 0:
                for j in range(stop - start):
                    total[j] = values[j] * coefficients[0]
            else:
                for j in range(stop - start):
                    total[j] += values[j] * coefficients[i]
        if divisor != np.float32(1):
            for j in range(stop - start):
                total[j] /= divisor
        finite &= store(total_bits, out_shift, out[start:stop])
    return finite


@compiled
def toward_mean(
    stored: Any, first: int, shift: Any, toward: Any, stay: Any, out: Any, out_shift: Any
) -> bool:
    """``mean_i(x_i) * toward + base * stay``, the base in row 0; else as ``weighted_sum``."""
    bits, total_bits = np.empty(TILE, np.uint32), np.empty(TILE, np.uint32)
    values, total = bits.view(np.float32), total_bits.view(np.float32)
    models = np.float32(stored.shape[0] - 1)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        finite &= load(stored[1, first + start : first + stop], shift, total_bits)
        for i in range(2, stored.shape[0]):
            finite &= load(stored[i, first + start : first + stop], shift, bits)
            for j in range(stop - start):
                total[j] += values[j]
        finite &= load(stored[0, first + start : first + stop], shift, bits)
        for j in range(stop - start):
            mean = total[j] / models
            near = mean * toward
            rest = values[j] * stay
            total[j] = near + rest
        finite &= store(total_bits, out_shift, out[start:stop])
    return finite
