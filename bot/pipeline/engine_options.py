"""How the engine runs a merge: device, threads and the size of output files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How the engine runs; none of this changes a byte of the result.

    ``shard_bytes`` is the most bytes of tensors in one output file.
    """

    device: str = "cpu"
    threads: int = 2
    shard_bytes: int = 5_000_000_000
