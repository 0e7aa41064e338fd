"""The ``Sink`` protocol: where a merge is written (sharded files, a state dict in memory)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.checkpoint.tensor_spec import TensorSpec


class Sink(Protocol):
    """A writable checkpoint. Thread-safe; writes come in any order."""

    def begin(self, layout: Sequence[TensorSpec], plan: str) -> Mapping[str, str]:
        """Prepare for ``layout`` and return what an earlier attempt at the same ``plan`` finished.

        Args:
            layout: every output tensor in plan order.
            plan: digest of everything that decides the output's bytes; partial output of another
                plan is discarded.

        Returns:
            name -> digest of each tensor that is durable already and need not be computed again.
        """
        ...

    def write(self, name: str, offset: int, data: memoryview) -> None:
        """Write ``data`` at byte ``offset`` of the tensor."""
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
