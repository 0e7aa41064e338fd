"""Locates tensors in shards: checks the index file against the shards' headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.checkpoint.header import MAX_TENSORS, Extent
from bot.checkpoint.untrusted_json import is_text, parse_object, shown
from bot.errors import CheckpointError

AGAIN = "export or download the model again"

TensorLocations = dict[str, tuple[str, Extent]]
"""Tensor -> the shard that holds it, and its byte range there."""


def parse_index(data: bytes, where: str) -> dict[str, str]:
    """Tensor -> shard, as ``model.safetensors.index.json`` says.

    Args:
        data: the file's bytes.
        where: the file as error messages should name it.

    Raises:
        CheckpointError: it is not an index, or a shard has no plain ``.safetensors`` file name.
    """
    shard_of = parse_object(data, where, AGAIN).get("weight_map")
    if not isinstance(shard_of, dict):
        message = f"{where} is not a safetensors index: weight_map is not a table of files"
        raise CheckpointError(message, hint=AGAIN)
    if len(shard_of) > MAX_TENSORS:
        message = f"{where} lists {len(shard_of):,} tensors; the limit is {MAX_TENSORS:,}"
        raise CheckpointError(message, hint="merge a model with fewer tensors")
    for tensor, shard in shard_of.items():
        if not isinstance(shard, str) or not _is_plain_name(shard):
            message = f"{where}: tensor {shown(tensor)} is placed in {shown(shard)}"
            raise CheckpointError(
                f"{message}, which is not a plain .safetensors file name", hint=AGAIN
            )
    return shard_of


def _is_plain_name(shard: str) -> bool:
    inside = not {"/", "\\", "\0"} & set(shard) and ".." not in shard
    return inside and is_text(shard) and shard.endswith(".safetensors")


def place_tensors(
    shard_of: Mapping[str, str], shards: Iterable[tuple[str, Mapping[str, Extent]]], where: str
) -> TensorLocations:
    """The shard and byte range of every tensor of the index, in the order of the shards.

    Args:
        shard_of: the index, tensor -> shard.
        shards: each shard that the index names, with its header.
        where: the index as error messages should name it.

    Raises:
        CheckpointError: a shard lacks a tensor that the index places in it, or holds one that the
            index leaves out, or two shards hold tensors of one name: loaders disagree about which
            one counts.
    """
    places: TensorLocations = {}
    holders: dict[str, str] = {}
    for shard, extents in shards:
        for name, extent in extents.items():
            other = holders.setdefault(name, shard)
            if other != shard:
                message = f"{where}: tensor {name!r} is in both {other} and {shard}"
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
        message = f"{where} leaves out tensor {left_out!r}, which is in {holders[left_out]}"
        raise CheckpointError(message, hint="add it to the index, or export the model again")
    return places
