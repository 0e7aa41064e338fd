"""``sum_i(c_i * x_i)``, perhaps divided: linear, slerp and other combinations of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.engine.kernels.float_bits import TILE, number, store
from bot.engine.kernels.kernel import compiled


@compiled
def weighted_sum(
    stored: Any, shift: Any, coefficients: Any, divisor: Any, out: Any, out_shift: Any, work: Any
) -> bool:
    """Combine rows of stored numbers into ``out``; False where anything is not finite.

    Args:
        stored: uint16 or uint32 (inputs, elements).
        shift: 16 for uint16, 0 for uint32.
        coefficients: float32, one per input.
        divisor: float32; 1 divides by nothing.
        out: uint16 or uint32 (elements,).
        out_shift: as ``shift``, for ``out``.
        work: float32 (1, tile).
    """
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        total = work[0, : stop - start]
        first = stored[0, start:stop]
        if coefficients.size == 1:
            _set(first, shift, coefficients[0], total)
        else:
            second = stored[1, start:stop]
            _set_two(first, second, shift, coefficients[0], coefficients[1], total)
        for i in range(2, coefficients.size):
            _add(stored[i, start:stop], shift, coefficients[i], total)
        if divisor != np.float32(1):
            for j in range(total.size):
                total[j] /= divisor
        finite &= store(total, out_shift, out[start:stop])
    return finite


@compiled
def toward_mean(
    stored: Any, shift: Any, toward: Any, stay: Any, out: Any, out_shift: Any, work: Any
) -> bool:
    """``mean_i(x_i) * toward + base * stay``, the base in row 0; else as ``weighted_sum``.

    There are two models or more.
    """
    models, one = np.float32(stored.shape[0] - 1), np.float32(1)
    finite = True
    for start in range(0, out.size, TILE):
        stop = min(start + TILE, out.size)
        total, base = work[0, : stop - start], stored[0, start:stop]
        _set_two(stored[1, start:stop], stored[2, start:stop], shift, one, one, total)
        for i in range(3, stored.shape[0]):
            _add(stored[i, start:stop], shift, one, total)
        for j in range(total.size):
            near = np.float32(np.float32(total[j] / models) * toward)
            rest = np.float32(number(base[j], shift) * stay)
            total[j] = near + rest
        finite &= store(total, out_shift, out[start:stop])
    return finite


@compiled
def _set(row: Any, shift: Any, factor: Any, total: Any) -> None:
    for j in range(total.size):
        total[j] = number(row[j], shift) * factor


@compiled
def _set_two(
    first: Any, second: Any, shift: Any, factor: Any, other_factor: Any, total: Any
) -> None:
    for j in range(total.size):
        added = np.float32(number(second[j], shift) * other_factor)
        total[j] = np.float32(number(first[j], shift) * factor) + added


@compiled
def _add(row: Any, shift: Any, factor: Any, total: Any) -> None:
    for j in range(total.size):
        total[j] += np.float32(number(row[j], shift) * factor)
