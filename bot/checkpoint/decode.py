"""Decodes stored bytes to float32, and finds NaN and infinity in the stored bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import Dtype

_STORED: dict[Dtype, np.dtype[np.generic]] = {
    Dtype.F64: np.dtype("<f8"),
    Dtype.F32: np.dtype("<f4"),
    Dtype.F16: np.dtype("<f2"),
    Dtype.BF16: np.dtype("<u2"),
}
_EXPONENT: dict[Dtype, tuple[str, int]] = {
    Dtype.F64: ("<u8", 0x7FF0_0000_0000_0000),
    Dtype.F32: ("<u4", 0x7F80_0000),
    Dtype.F16: ("<u2", 0x7C00),
    Dtype.BF16: ("<u2", 0x7F80),
}


def decode(stored: memoryview, dtype: Dtype) -> npt.NDArray[np.float32]:
    """float32 values of stored bytes, flat; float32 is not copied, float64 is rounded once.

    Raises:
        KeyError: the dtype is not one that arithmetic is done on.
    """
    raw = np.frombuffer(stored, _STORED[dtype])
    if dtype is Dtype.BF16:
        bits = raw.astype(np.uint32)
        bits <<= 16
        return bits.view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return raw.astype(np.float32, copy=False)


def all_finite(stored: memoryview, dtype: Dtype) -> bool:
    """Whether no element is a NaN or an infinity: those have all exponent bits set."""
    magnitudes = _magnitudes(stored, dtype)
    return bool(magnitudes.max(initial=0) < _EXPONENT[dtype][1])


def first_not_finite(stored: memoryview, dtype: Dtype) -> int:
    """The index of the first NaN or infinity; 0 where there is none."""
    return int(np.argmax(_magnitudes(stored, dtype) >= _EXPONENT[dtype][1]))


def _magnitudes(stored: memoryview, dtype: Dtype) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The stored bits without their sign."""
    bits = np.frombuffer(stored, _EXPONENT[dtype][0])
    sign = 1 << (8 * bits.itemsize - 1)
    unsigned: npt.NDArray[np.unsignedinteger[Any]] = bits & bits.dtype.type(sign - 1)
    return unsigned
