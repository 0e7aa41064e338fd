"""The layout of output files: shards, and each tensor's byte position, computed before writing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.checkpoint.header import MAX_HEADER_BYTES, PREFIX_BYTES, build_header
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import PlanError, Problem

DEFAULT_SHARD_BYTES = 5 * 10**9


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One output file: its header, and the byte position of each tensor."""

    file: str
    header: bytes
    positions: Mapping[str, int]
    size: int


def lay_out(specs: Sequence[TensorSpec], shard_bytes: int = DEFAULT_SHARD_BYTES) -> list[Shard]:
    """Tensors in the order given, without holes, in files of at most ``shard_bytes`` of data.

    A tensor is never divided: one that is larger than ``shard_bytes`` has a file of its own.

    Raises:
        PlanError: two tensors have one name, or there are more than a header can hold.
    """
    counts = Counter(spec.name for spec in specs)
    if len(counts) < len(specs):
        twice = next(name for name, count in counts.items() if count > 1)
        raise PlanError([Problem(message=f"two output tensors are called {twice!r}")])
    groups = _groups(specs, shard_bytes)
    if len(groups) == 1:
        return [_shard("model.safetensors", groups[0])]
    count = len(groups)
    return [
        _shard(f"model-{number:05d}-of-{count:05d}.safetensors", group)
        for number, group in enumerate(groups, start=1)
    ]


def index_file(shards: Sequence[Shard], specs: Sequence[TensorSpec]) -> bytes:
    """The text of ``model.safetensors.index.json``."""
    weight_map = {name: shard.file for shard in shards for name in shard.positions}
    metadata = {"total_size": sum(spec.nbytes for spec in specs)}
    return json.dumps({"metadata": metadata, "weight_map": weight_map}, indent=2).encode() + b"\n"


def _groups(specs: Sequence[TensorSpec], shard_bytes: int) -> list[list[TensorSpec]]:
    groups: list[list[TensorSpec]] = [[]]
    size = 0
    for spec in specs:
        if groups[-1] and size + spec.nbytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(spec)
        size += spec.nbytes
    return groups


def _shard(file: str, specs: Sequence[TensorSpec]) -> Shard:
    header = build_header(specs)
    if len(header) - PREFIX_BYTES > MAX_HEADER_BYTES:
        message = f"{file}: {len(specs)} tensors need a header of {len(header)} bytes"
        raise PlanError([Problem(message=message, hint="choose a smaller shard size")])
    positions: dict[str, int] = {}
    position = len(header)
    for spec in specs:
        positions[spec.name] = position
        position += spec.nbytes
    return Shard(file=file, header=header, positions=positions, size=position)
