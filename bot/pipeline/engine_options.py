"""How the engine runs a merge: device, threads, memory and the size of output files."""

from __future__ import annotations

from dataclasses import dataclass

from bot.plan.budget import Resources


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How the engine runs; none of this changes a byte of the result.

    ``memory`` is the most bytes the process may use for the merge, None for three quarters of what
    is free when it starts. ``shard_bytes`` is the most bytes of tensors in one output file.
    """

    device: str = "cpu"
    threads: int = 2
    memory: int | None = None
    shard_bytes: int = 5_000_000_000

    @property
    def resources(self) -> Resources:
        """What a plan assumes that the merge will have."""
        return Resources(threads=self.threads, memory=self.memory)
