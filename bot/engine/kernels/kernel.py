"""Kernels as callables: compiled once, kept on disk as machine code, called without an interpreter.

A kernel is a plain function over arrays and numbers. Its first call on a machine compiles it with
numba; every later process loads the code that was kept, which takes a thirtieth of the time that
importing numba does. The interpreter's lock is free while a kernel runs.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, cast

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


class Kind(NamedTuple):
    """What the compiler must know of an argument: its dtype, and its axes or None for a number."""

    dtype: str
    axes: int | None


Kinds = tuple[Kind, ...]
_COMPILING = threading.Lock()
_NUMBERS: dict[type, str] = {bool: "|b1", int: "<i8", float: "<f8"}


class Kernel(Generic[P, R]):
    """A function that runs as machine code, one version for each kind of arguments."""

    def __init__(self, function: Callable[P, R], *, multiply_add: bool = False) -> None:
        self.function = cast("FunctionType", function)
        self.multiply_add = multiply_add
        self._versions: dict[tuple[Any, ...], Callable[..., int]] = {}
        update_wrapper(self, function)

    def __call__(self, *arguments: P.args, **_named: P.kwargs) -> R:
        """Run; numbers are passed by value, arrays (in one piece) by their memory.

        Raises:
            ValueError: an array has gaps.
        """
        said: list[Any] = []  # what tells versions apart: one loop, since it runs for every grain
        flat: list[Any] = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                if not argument.flags.c_contiguous:
                    raise ValueError("a kernel's arrays must be in one piece")
                said += (argument.dtype, argument.ndim)
                flat.append(argument.__array_interface__["data"][0])
                flat += argument.shape
            elif isinstance(argument, np.generic):
                said.append(argument.dtype)
                flat.append(argument.item())
            else:
                said.append(type(argument))
                flat.append(argument)
        version = self._versions.get(tuple(said)) or self._load(tuple(said), arguments)
        return cast("R", version(*flat))

    def _load(self, said: tuple[Any, ...], arguments: tuple[Any, ...]) -> Callable[..., int]:
        from bot.engine.kernels.code_cache import address_of

        with _COMPILING:
            if said not in self._versions:
                kinds = tuple(map(_kind, arguments))
                signature = ctypes.CFUNCTYPE(ctypes.c_int64, *_types(kinds))
                self._versions[said] = signature(address_of(self, kinds))
        return self._versions[said]


def compiled(function: Callable[P, R]) -> Kernel[P, R]:
    """Make a kernel of a function.

    It takes NumPy arrays and numbers, returns an integer, a bool or nothing, and calls other
    kernels. It must neither allocate nor raise: memory to work in is an argument. A product and a
    sum are rounded separately, as NumPy does, and division by zero gives an infinity.
    """
    return Kernel(function)


def multiplying(function: Callable[P, R]) -> Kernel[P, R]:
    """``compiled``, but a product and a sum may be one instruction and rounded once.

    For products that are exact: of two float32 in float64, where the first rounding does nothing.
    """
    return Kernel(function, multiply_add=True)


def _kind(argument: Any) -> Kind:
    if isinstance(argument, np.ndarray):
        return Kind(argument.dtype.str, argument.ndim)
    if isinstance(argument, np.generic):
        return Kind(argument.dtype.str, None)
    return Kind(_NUMBERS[type(argument)], None)


def _types(kinds: Kinds) -> list[Any]:
    types: list[Any] = []
    for kind in kinds:
        if kind.axes is None:
            types.append(np.ctypeslib.as_ctypes_type(np.dtype(kind.dtype)))
        else:
            types += [ctypes.c_void_p, *([ctypes.c_int64] * kind.axes)]
    return types
