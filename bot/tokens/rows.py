"""Embedding rows between their stored dtype and float32, in plain NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor import Dtype

Floats = npt.NDArray[np.float32]
_STORED = {Dtype.F64: "<f8", Dtype.F32: "<f4", Dtype.F16: "<f2", Dtype.BF16: "<u2"}


def decode(data: bytearray | memoryview, dtype: Dtype) -> Floats:
    """Stored numbers as float32, flat. Exact, but for float64, which is rounded."""
    stored = np.frombuffer(data, _STORED[dtype])
    if dtype is Dtype.BF16:
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32)


def encode(values: Floats, dtype: Dtype) -> bytes:
    """float32 numbers as they are stored: rounded to nearest, halves to even; NaN stays NaN."""
    if dtype is not Dtype.BF16:
        return values.astype(_STORED[dtype]).tobytes()
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    quiet = (bits >> 16) | 0x40
    return np.where(np.isnan(values), quiet, rounded).astype("<u2").tobytes()
