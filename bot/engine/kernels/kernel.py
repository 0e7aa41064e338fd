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
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from bot.engine.kernels.kernel_function import ArgumentKind, ArgumentKinds, KernelFunction

P = ParamSpec("P")
R = TypeVar("R")


_COMPILING = threading.Lock()
_NUMBERS: dict[type, str] = {bool: "|b1", int: "<i8", float: "<f8"}


class Kernel(KernelFunction, Generic[P, R]):
    """A function that runs as machine code, one version for each kind of arguments."""

    def __init__(self, function: Callable[P, R], *, multiply_add: bool = False) -> None:
        super().__init__(function, multiply_add=multiply_add)
        update_wrapper(self, function)
        self._versions: dict[tuple[Any, ...], Callable[..., int]] = {}

    def __call__(self, *arguments: P.args, **_named: P.kwargs) -> R:
        """Run; numbers are passed by value, arrays (in one piece) by their memory.

        Raises:
            ValueError: an array has gaps.
        """
        kinds: list[Any] = []  # what tells versions apart: one loop, since it runs for every grain
        flat: list[Any] = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                if not argument.flags.c_contiguous:
                    raise ValueError("a kernel's arrays must be in one piece")
                kinds += (argument.dtype, argument.ndim)
                flat.append(argument.__array_interface__["data"][0])
                flat += argument.shape
            elif isinstance(argument, np.generic):
                kinds.append(argument.dtype)
                flat.append(argument.item())
            else:
                kinds.append(type(argument))
                flat.append(argument)
        version = self._versions.get(tuple(kinds)) or self._load(tuple(kinds), arguments)
        return cast("R", version(*flat))

    def _load(self, key: tuple[Any, ...], arguments: tuple[Any, ...]) -> Callable[..., int]:
        from bot.engine.kernels.code_cache import address_of

        with _COMPILING:
            if key not in self._versions:
                kinds = tuple(map(_kind, arguments))
                signature = ctypes.CFUNCTYPE(ctypes.c_int64, *_types(kinds))
                self._versions[key] = signature(address_of(self, kinds))
        return self._versions[key]


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


def _kind(argument: Any) -> ArgumentKind:
    if isinstance(argument, np.ndarray):
        return ArgumentKind(argument.dtype.str, argument.ndim)
    if isinstance(argument, np.generic):
        return ArgumentKind(argument.dtype.str, None)
    return ArgumentKind(_NUMBERS[type(argument)], None)


def _types(kinds: ArgumentKinds) -> list[Any]:
    types: list[Any] = []
    for kind in kinds:
        if kind.axes is None:
            types.append(np.ctypeslib.as_ctypes_type(np.dtype(kind.dtype)))
        else:
            types += [ctypes.c_void_p, *([ctypes.c_int64] * kind.axes)]
    return types
