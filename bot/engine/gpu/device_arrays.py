"""NumPy arrays that live on a torch device.

Methods are written once, for NumPy. NumPy hands an operation on a foreign array to the array itself
(NEP 13 for operators and ufuncs, NEP 18 for functions), so the same definitions run on a device
when their arrays are of this kind. Which dtypes an operation works in is NumPy's answer, not
torch's. What is not listed here raises TypeError; nothing goes to the host unasked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.mixins import NDArrayOperatorsMixin

from bot.engine.gpu.torch_operations import FUNCTIONS, UFUNCS

Scalar = bool | int | float
HostArray = npt.NDArray[Any]
TORCH = MappingProxyType(
    {
        np.dtype(np.bool_): torch.bool,
        np.dtype(np.int64): torch.int64,
        np.dtype(np.float32): torch.float32,
        np.dtype(np.float64): torch.float64,
    }
)
NUMPY = MappingProxyType({theirs: ours for ours, theirs in TORCH.items()})


class DeviceArray(NDArrayOperatorsMixin):
    """A torch tensor (bool, int64, float32 or float64) that answers as a NumPy array does."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    @property
    def dtype(self) -> np.dtype[Any]:
        """As NumPy names it."""
        return NUMPY[self.tensor.dtype]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """How many axes."""
        return self.tensor.ndim

    @property
    def size(self) -> int:
        """How many elements."""
        return self.tensor.numel()

    @property
    def T(self) -> DeviceArray:  # noqa: N802 - NumPy's name
        """Transposed."""
        return DeviceArray(self.tensor.mT)

    def reshape(self, *shape: Any) -> DeviceArray:
        """In another shape, row-major."""
        return DeviceArray(self.tensor.reshape(*shape))

    def astype(self, dtype: npt.DTypeLike) -> DeviceArray:
        """Rounded to nearest, ties to even."""
        return DeviceArray(self.tensor.to(TORCH[np.dtype(dtype)]))

    def sum(
        self, axis: int | None = None, dtype: npt.DTypeLike | None = None, *, keepdims: bool = False
    ) -> DeviceArray:
        """Along an axis, or of everything."""
        kind = None if dtype is None else TORCH[np.dtype(dtype)]
        axes = tuple(range(self.ndim)) if axis is None else axis
        return DeviceArray(torch.sum(self.tensor, axes, keepdim=keepdims, dtype=kind))

    def max(self, axis: int, *, keepdims: bool = False) -> DeviceArray:
        """The largest along an axis."""
        return DeviceArray(torch.amax(self.tensor, axis, keepdim=keepdims))

    def mean(self) -> DeviceArray:
        """Of all elements."""
        return DeviceArray(self.tensor.mean())

    def clip(self, least: Scalar, most: Scalar) -> DeviceArray:
        """Every element moved between two bounds."""
        return DeviceArray(self.tensor.clamp(least, most))

    def any(self) -> bool:
        """Whether an element is not zero."""
        return bool(self.tensor.any())

    def __getitem__(self, key: Any) -> DeviceArray:
        places = key.tensor if isinstance(key, DeviceArray) else key
        return DeviceArray(self.tensor[places])

    def __len__(self) -> int:
        return len(self.tensor)

    def __iter__(self) -> Iterator[Any]:
        """Element after element is work for the host."""
        return iter(np.asarray(self))

    def __int__(self) -> int:
        return int(self.tensor)

    def __float__(self) -> float:
        return float(self.tensor)

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> HostArray:
        """A copy on the host, for those who ask for one by ``np.asarray``."""
        del copy
        return np.asarray(self.tensor.cpu().numpy(), dtype)

    def __array_ufunc__(
        self,
        ufunc: Any,
        method: str,
        *inputs: Any,
        dtype: npt.DTypeLike | None = None,
        **others: Any,
    ) -> Any:
        operation = UFUNCS.get(ufunc)
        if operation is None or method != "__call__" or others:
            return NotImplemented
        asked = None if dtype is None else np.dtype(dtype)
        kinds = _worked_in(ufunc, tuple(_kind(value) for value in inputs), asked)
        operands = (self.operand(value, kind) for value, kind in zip(inputs, kinds, strict=True))
        return DeviceArray(operation(*operands))

    def __array_function__(
        self, function: Any, types: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        del types
        operation = FUNCTIONS.get(function)
        if operation is None:
            return NotImplemented
        return _wrapped(operation(*map(_bare, args), **kwargs))

    def operand(self, value: Any, dtype: np.dtype[Any]) -> torch.Tensor:
        """A number or an array of any kind, on this array's device.

        A number becomes a tensor too: CUDA multiplies by the reciprocal of a number it is given as
        such, which is not the quotient rounded once.
        """
        if isinstance(value, DeviceArray):
            return value.tensor.to(TORCH[dtype])
        if isinstance(value, np.ndarray | np.generic):
            return torch.tensor(np.asarray(value, dtype), device=self.tensor.device)
        return torch.full((), value, dtype=TORCH[dtype], device=self.tensor.device)


def _bare(value: Any) -> Any:
    """The tensors of an argument, which may be a sequence of arrays."""
    if isinstance(value, list | tuple):
        return [_bare(part) for part in value]
    return value.tensor if isinstance(value, DeviceArray) else value


def _wrapped(result: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return DeviceArray(result)
    return tuple(map(_wrapped, result)) if isinstance(result, tuple) else result


def _kind(value: Any) -> Any:
    """A dtype, or the Python type of a number, which takes the dtype of what it meets."""
    return value.dtype if isinstance(value, DeviceArray | np.ndarray | np.generic) else type(value)


@lru_cache(maxsize=512)
def _worked_in(
    ufunc: np.ufunc, kinds: tuple[Any, ...], asked: np.dtype[Any] | None
) -> tuple[np.dtype[Any], ...]:
    """What NumPy converts the inputs to; ``asked`` is the dtype of the result where it is given."""
    free = (None,) * len(kinds)
    return ufunc.resolve_dtypes((*kinds, None), signature=(*free, asked))[: len(kinds)]
