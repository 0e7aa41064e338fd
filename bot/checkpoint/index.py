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

    A shard may hold tensors that the index does not know; they are left out.

    Args:
        shard_of: the index, tensor -> shard.
        shards: each shard that the index names, with its header.
        where: the index as error messages should name it.

    Raises:
        CheckpointError: a shard lacks a tensor that the index places in it, or two shards hold
            tensors of one name, of which loaders take one or the other.
    """
    places: Places = {}
    holders: dict[str, str] = {}
    for shard, extents in shards:
        for name, extent in extents.items():
            other = holders.setdefault(name, shard)
            if other != shard and name in shard_of:
                message = f"{where}: tensor {name!r} stands in both {other} and {shard}"
                raise CheckpointError(message, hint="export or download the model again")
            if shard_of.get(name) == shard:
                places[name] = (shard, extent)
    missing = sorted(shard_of.keys() - places.keys())
    if missing:
        name = missing[0]
        message = f"{where} places tensor {name!r} in {shard_of[name]}, which does not hold it"
        raise CheckpointError(message, hint="download both again")
    return places
