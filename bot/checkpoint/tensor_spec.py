"""``TensorSpec`` (name, dtype, shape) and the safetensors dtypes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Dtype(StrEnum):
    """A safetensors dtype code."""

    F64 = "F64"
    F32 = "F32"
    F16 = "F16"
    BF16 = "BF16"
    F8_E4M3 = "F8_E4M3"
    F8_E5M2 = "F8_E5M2"
    I64 = "I64"
    I32 = "I32"
    I16 = "I16"
    I8 = "I8"
    U64 = "U64"
    U32 = "U32"
    U16 = "U16"
    U8 = "U8"
    BOOL = "BOOL"

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return _ITEMSIZE[self]

    @property
    def mergeable(self) -> bool:
        """Whether arithmetic makes sense on it; everything else is copied from one parent."""
        return self in _MERGEABLE

    @property
    def torch_name(self) -> str:
        """The name recipes and ``config.json`` use ("bfloat16", "float32", ...)."""
        return _TORCH_NAME[self]

    @classmethod
    def from_torch_name(cls, name: str) -> Dtype:
        """Read "bfloat16", "torch.float32" and the like.

        Raises:
            KeyError: no dtype has that name.
        """
        return _FROM_TORCH_NAME[name.removeprefix("torch.")]


_ITEMSIZE = {
    Dtype.F64: 8, Dtype.F32: 4, Dtype.F16: 2, Dtype.BF16: 2, Dtype.F8_E4M3: 1, Dtype.F8_E5M2: 1,
    Dtype.I64: 8, Dtype.I32: 4, Dtype.I16: 2, Dtype.I8: 1,
    Dtype.U64: 8, Dtype.U32: 4, Dtype.U16: 2, Dtype.U8: 1, Dtype.BOOL: 1,
}  # fmt: skip
_MERGEABLE = frozenset({Dtype.F64, Dtype.F32, Dtype.F16, Dtype.BF16})
_TORCH_NAME = {
    Dtype.F64: "float64", Dtype.F32: "float32", Dtype.F16: "float16", Dtype.BF16: "bfloat16",
    Dtype.F8_E4M3: "float8_e4m3fn", Dtype.F8_E5M2: "float8_e5m2",
    Dtype.I64: "int64", Dtype.I32: "int32", Dtype.I16: "int16", Dtype.I8: "int8",
    Dtype.U64: "uint64", Dtype.U32: "uint32", Dtype.U16: "uint16", Dtype.U8: "uint8",
    Dtype.BOOL: "bool",
}  # fmt: skip
_FROM_TORCH_NAME = {name: dtype for dtype, name in _TORCH_NAME.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorSpec:
    """A tensor's name, dtype and shape; ``()`` is a 0-d tensor with one element."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Its size in a file."""
        return self.elements * self.dtype.itemsize
