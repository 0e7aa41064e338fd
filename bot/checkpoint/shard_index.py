"""Which shard holds which tensor: the index's word against the shards' headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.checkpoint.header import Extent
from bot.errors import CheckpointError

Places = dict[str, tuple[str, Extent]]
"""Tensor -> the shard that holds it, and where in the shard."""


def place_tensors(
    shard_of: Mapping[str, str], shards: Iterable[tuple[str, Mapping[str, Extent]]], where: str
) -> Places:
    """Every tensor of the index in the shard that it names, in the order of the shards.

    Args:
        shard_of: the index, tensor -> shard.
        shards: each shard that the index names, with its header.
        where: the index as error messages should name it.

    Raises:
        CheckpointError: a shard lacks a tensor that the index places in it, or holds one that the
            index leaves out, or two shards hold tensors of one name: loaders differ in what they
            take then.
    """
    places: Places = {}
    holders: dict[str, str] = {}
    for shard, extents in shards:
        for name, extent in extents.items():
            other = holders.setdefault(name, shard)
            if other != shard:
                message = f"{where}: tensor {name!r} stands in both {other} and {shard}"
                raise CheckpointError(message, hint="export or download the model again")
            if shard_of.get(name) == shard:
                places[name] = (shard, extent)
    missing = sorted(shard_of.keys() - places.keys())
    if missing:
        name = missing[0]
        message = f"{where} places tensor {name!r} in {shard_of[name]}, which does not hold it"
        raise CheckpointError(message, hint="download both again")
    left_out = next((name for name in holders if name not in shard_of), None)
    if left_out is not None:
        message = f"{where} leaves out tensor {left_out!r}, which stands in {holders[left_out]}"
        raise CheckpointError(message, hint="add it to the index, or export the model again")
    return places
