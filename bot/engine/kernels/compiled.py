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
    try:
        kernel = _compiler(keep=True)(function)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        kernel = _compiler(keep=False)(function)
    return cast("F", kernel)


def _compiler(*, keep: bool) -> Callable[..., Any]:
    compiler: Callable[..., Any] = njit(nogil=True, cache=keep, fastmath=False, error_model="numpy")
    return compiler
