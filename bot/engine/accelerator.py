"""What the engine asks of a device other than the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bot.engine.tensor_inputs import LoadedChunk
from bot.methods.core.method_input import Array, Block

Call = Callable[[Block], Array]
"""A method with its arguments and statistics filled in."""


class Accelerator(Protocol):
    """A device other than the CPU; thread-safe."""

    def buffer(self, nbytes: int) -> memoryview:
        """Page-aligned host memory that is quickly copied to the device and back."""
        ...

    def merge(self, loaded: LoadedChunk, call: Call, merged: memoryview) -> bool:
        """Merge a chunk into host memory; False where anything is not finite."""
        ...
