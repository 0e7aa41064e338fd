"""Memory in which inputs that cost to be read stay between the passes of a method."""

from __future__ import annotations

from bot.engine.buffers import aligned


class InputCache:
    """Buffers up to a limit together, used again for tensor after tensor.

    For the one thread that starts and ends work on tensors.
    """

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit
        self._free: list[memoryview] = []

    def take(self, nbytes: int) -> memoryview | None:
        """A buffer of ``nbytes`` with undefined contents, or None where there is no room."""
        if nbytes > self._limit:
            return None
        sizes = [(buffer.nbytes, place) for place, buffer in enumerate(self._free)]
        if fitting := [size for size in sizes if size[0] >= nbytes]:
            return self._free.pop(min(fitting)[1])
        while nbytes > self._left and self._free:
            self._left += self._free.pop().nbytes
        if nbytes > self._left:
            return None
        self._left -= nbytes
        return aligned(nbytes)

    def give_back(self, buffer: memoryview) -> None:
        """Let others use it."""
        self._free.append(buffer)
