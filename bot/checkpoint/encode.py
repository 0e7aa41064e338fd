"""Encodes float32 values as stored bytes, rounded once to nearest, ties to even."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.checkpoint.tensor_spec import Dtype


def encode(values: npt.NDArray[np.float32], dtype: Dtype, out: memoryview) -> None:
    """Write float32 values, flat, into ``out`` as ``dtype``.

    A value too large for the dtype becomes an infinity, a NaN stays one.

    Raises:
        KeyError: the dtype is not one that arithmetic is done on.
    """
    if dtype is Dtype.BF16:
        np.frombuffer(out, "<u2")[:] = _bfloat16_bits(values)
        return
    kind = {Dtype.F64: "<f8", Dtype.F32: "<f4", Dtype.F16: "<f2"}[dtype]
    with np.errstate(over="ignore", invalid="ignore"):
        np.frombuffer(out, kind)[:] = values


def _bfloat16_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The upper half of each float32, rounded: half a step is added, less one for an even half.

    A NaN whose payload lies in the lower half would round to an infinity or to zero, so NaNs are
    quietened instead.
    """
    bits = np.ascontiguousarray(values).view(np.uint32)
    upper = bits >> 16
    rounded = (bits + (0x7FFF + (upper & 1))) >> 16
    nan = (bits & 0x7FFF_FFFF) > 0x7F80_0000
    if nan.any():
        rounded = np.where(nan, upper | 0x0040, rounded)
    return rounded.astype(np.uint16)
