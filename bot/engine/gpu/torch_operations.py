"""What NumPy's operations are called in torch: those that merge methods use, and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

UFUNCS: MappingProxyType[Any, Callable[..., torch.Tensor]] = MappingProxyType(
    {
        np.add: torch.add,
        np.subtract: torch.sub,
        np.multiply: torch.mul,
        np.true_divide: torch.div,
        np.matmul: torch.matmul,
        np.absolute: torch.abs,
        np.square: torch.square,
        np.sqrt: torch.sqrt,
        np.exp: torch.exp,
        np.log: torch.log,
        np.maximum: torch.maximum,
        np.greater: torch.gt,
        np.greater_equal: torch.ge,
        np.less: torch.lt,
        np.less_equal: torch.le,
        np.equal: torch.eq,
        np.not_equal: torch.ne,
        np.bitwise_and: torch.bitwise_and,
        np.bitwise_or: torch.bitwise_or,
        np.invert: torch.bitwise_not,
    }
)


def _argsort(values: torch.Tensor, axis: int = -1, *, stable: bool) -> torch.Tensor:
    return torch.argsort(values, dim=axis, stable=stable)


def _split(array: torch.Tensor, parts: int, axis: int = 0) -> Sequence[torch.Tensor]:
    return torch.chunk(array, parts, axis)


def _count_nonzero(array: torch.Tensor) -> int:
    return int(torch.count_nonzero(array))


def _svd(matrix: torch.Tensor, *, full_matrices: bool) -> Sequence[torch.Tensor]:
    factors: Sequence[torch.Tensor] = torch.linalg.svd(matrix, full_matrices=full_matrices)
    return factors


def _pinv(matrix: torch.Tensor, rcond: float, hermitian: bool = False) -> torch.Tensor:
    inverse: torch.Tensor = torch.linalg.pinv(matrix, rtol=rcond, hermitian=hermitian)
    return inverse


FUNCTIONS: MappingProxyType[Any, Callable[..., Any]] = MappingProxyType(
    {
        np.where: torch.where,
        np.zeros_like: torch.zeros_like,
        np.cumsum: torch.cumsum,
        np.argsort: _argsort,
        np.concatenate: torch.cat,
        np.split: _split,
        np.count_nonzero: _count_nonzero,
        np.linalg.svd: _svd,
        np.linalg.pinv: _pinv,
    }
)
