"""Where a merge goes: sharded files, a live model's state dict, a streaming upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.checkpoint.tensor_spec import TensorSpec


class Sink(Protocol):
    """A writable checkpoint. Thread-safe; writes come in any order."""

    def begin(self, layout: Sequence[TensorSpec], plan: str) -> Mapping[str, str]:
        """Prepare for ``layout`` and say what an earlier attempt at the same ``plan`` finished.

        Args:
            layout: every output tensor in plan order.
            plan: says all that decides the output's bytes; leftovers of any other are discarded.

        Returns:
            name -> digest of each tensor that is already durable and need not be made again.
        """
        ...

    def write(self, name: str, offset: int, data: memoryview) -> None:
        """Put ``data`` at byte ``offset`` of the tensor."""
        ...

    def finish(self, name: str, digest: str) -> None:
        """Every byte of the tensor has been written; ``digest`` is its block digest."""
        ...

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Make everything durable under its final name, side files included, in one step.

        Returns:
            The model digest over weights, config, generation config, tokenizer and template.
        """
        ...

    def abort(self) -> None:
        """Close without a final name; finished tensors stay for the next attempt."""
        ...
