"""The collector of cyclic garbage, out of the way where there is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect nothing meanwhile.

    Imports and compiled kernels make hundreds of thousands of objects that stay: looking for
    garbage among them takes a sixth of the time a small merge takes, and finds none.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
