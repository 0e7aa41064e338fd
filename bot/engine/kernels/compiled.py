"""How kernels are compiled: without the interpreter's lock, strictly IEEE, kept on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Let a module that is not loaded look as if it were not installed."""
    modules = cast("dict[str, Any]", sys.modules)
    hidden = module not in modules
    if hidden:
        modules[module] = None
    try:
        yield
    finally:
        if hidden:
            del modules[module]


with _absent("scipy.linalg.cython_blas"):
    # Numba looks for a BLAS, which takes longer to load than all kernels; none of them wants one.
    import numba.np.arraymath  # noqa: F401
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
