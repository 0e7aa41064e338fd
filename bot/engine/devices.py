"""Where the arithmetic runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Protocol

from bot.engine.tensor_inputs import Loaded
from bot.errors import EnvironmentMissingError, UsageError
from bot.methods.core.method_input import Array, Block

Call = Callable[[Block], Array]
"""A method with its arguments and statistics filled in."""


class Accelerator(Protocol):
    """A device other than the CPU; thread-safe."""

    def buffer(self, nbytes: int) -> memoryview:
        """Page-aligned host memory that is quickly copied to the device and back."""
        ...

    def merge(self, loaded: Loaded, call: Call, merged: memoryview) -> bool:
        """Merge a chunk into host memory; False where anything is not finite."""
        ...


def accelerator(device: str) -> Accelerator | None:
    """The device of that name, ready for use; None for the CPU.

    Raises:
        UsageError: no such kind of device.
        EnvironmentMissingError: it needs hardware or software that is missing.
    """
    if device == "cpu":
        return None
    named = re.fullmatch(r"cuda(?::(\d+))?", device)
    if named is None:
        raise UsageError(f"no device is called {device!r}", hint="use cpu, cuda or cuda:1")
    try:
        from bot.engine.gpu.torch_device import cuda
    except ImportError as error:
        raise EnvironmentMissingError(
            f"the device {device!r} needs torch, which is not installed",
            hint="use --device cpu, or install mergebot[eval]",
        ) from error
    return cuda(int(named[1] or 0))


def default_threads() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
