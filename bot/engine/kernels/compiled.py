"""How kernels are compiled: without the interpreter's lock, strictly IEEE, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on first call for the types it is called with.

    No fast-math, so that a product and a sum are rounded separately as NumPy does; division by zero
    gives an infinity, as NumPy does.
    """
    compiler = njit(nogil=True, cache=True, fastmath=False, error_model="numpy")
    return cast("F", compiler(function))
