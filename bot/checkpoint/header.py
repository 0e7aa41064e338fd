"""The safetensors header: a strict parser for untrusted files, and a writer.

A file is eight bytes of header length (little-endian), a JSON object ``name -> {dtype, shape,
data_offsets}`` with an optional ``__metadata__``, and the tensors' bytes, contiguous.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.checkpoint.untrusted_json import is_text
from bot.errors import CheckpointError

PREFIX_BYTES = 8
MAX_HEADER_BYTES = 16 << 20
MAX_TENSORS = 50_000
"""Tensors of one model, over all its files; the largest published models have about 47,000."""
ALIGNMENT = 4096
_METADATA_KEY = "__metadata__"
_MAX_DIMENSIONS = 64
_HINT = "download or export the file again; it is damaged or was not written by safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """A tensor's spec and the byte range that it occupies in its file."""

    spec: TensorSpec
    start: int

    @property
    def stop(self) -> int:
        """The first byte after the tensor."""
        return self.start + self.spec.nbytes


def header_length(prefix: bytes, file_bytes: int, where: str) -> int:
    """The length in bytes of the JSON after the first eight bytes.

    Args:
        prefix: the first eight bytes of the file.
        file_bytes: the size of the whole file.
        where: the file as error messages should name it.

    Raises:
        CheckpointError: the file is too short, or the header is absurdly long.
    """
    if len(prefix) < PREFIX_BYTES:
        raise _broken(where, f"has {file_bytes} bytes, too few for a safetensors file")
    length = int.from_bytes(prefix[:PREFIX_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise _broken(where, f"claims a header of {length} bytes; the limit is {MAX_HEADER_BYTES}")
    if PREFIX_BYTES + length > file_bytes:
        raise _broken(where, f"claims a header of {length} bytes but has only {file_bytes} in all")
    return length


def parse_header(raw: bytes, file_bytes: int, where: str) -> Mapping[str, Extent]:
    """Every tensor of a file with its byte range, in file order.

    Args:
        raw: the JSON, exactly ``header_length`` bytes.
        file_bytes: the size of the whole file.
        where: the file as error messages should name it.

    Raises:
        CheckpointError: anything in the header is not what the format says, or disagrees with the
            size of the file; names the file and, where there is one, the tensor.
    """
    entries = _json_object(raw, where)
    if len(entries) > MAX_TENSORS:
        raise _broken(where, f"has {len(entries):,} tensors; the limit is {MAX_TENSORS:,}")
    _check_metadata(entries.pop(_METADATA_KEY, {}), where)
    data_start = PREFIX_BYTES + len(raw)
    extents = [_extent(name, entry, data_start, where) for name, entry in entries.items()]
    extents.sort(key=lambda extent: (extent.start, extent.stop))
    _check_contiguous(extents, data_start, file_bytes, where)
    return {extent.spec.name: extent for extent in extents}


def build_header(specs: Sequence[TensorSpec]) -> bytes:
    """Length prefix and JSON for tensors that are stored one after another without holes.

    Padded with spaces so that the first tensor starts at a multiple of 4096 bytes.
    """
    entries: dict[str, Any] = {_METADATA_KEY: {"format": "pt"}}
    offset = 0
    for spec in specs:
        span = [offset, offset + spec.nbytes]
        entries[spec.name] = {
            "dtype": spec.dtype.value, "shape": list(spec.shape), "data_offsets": span,
        }  # fmt: skip
        offset = span[1]
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    padding = -(PREFIX_BYTES + len(text)) % ALIGNMENT
    text += b" " * padding
    return len(text).to_bytes(PREFIX_BYTES, "little") + text


def _json_object(raw: bytes, where: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice = next(name for name, count in counts.items() if count > 1)
            raise _broken(where, f"has the key {twice!r} twice in its header")
        return found

    if not raw.startswith(b"{"):
        raise _broken(where, "has a header that is not a JSON object")
    try:
        return _object(json.loads(raw.decode(), object_pairs_hook=unique), where)
    except (ValueError, RecursionError) as error:
        raise _broken(where, f"has a header that is not JSON ({error})") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _broken(where, "has a header that is not a JSON object")
    return value


def _check_metadata(metadata: Any, where: str) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _broken(where, "has metadata that is not a table of strings")


def _extent(name: str, entry: Any, data_start: int, where: str) -> Extent:
    if not is_text(name):
        raise _broken(where, "has half of a surrogate pair in its name", name)
    if not isinstance(entry, dict):
        raise _broken(where, "is not described by a JSON object", name)
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in {known.value for known in Dtype}:
        raise _broken(where, f"has the unknown dtype {dtype!r}", name)
    shape = _counts(entry.get("shape"), "shape", where, name)
    offsets = _counts(entry.get("data_offsets"), "data_offsets", where, name)
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _broken(where, f"has the data_offsets {list(offsets)}", name)
    spec = TensorSpec(name=name, dtype=Dtype(dtype), shape=shape)
    if offsets[1] - offsets[0] != spec.nbytes:
        claim = f"{dtype} of shape {list(shape)} needs {spec.nbytes} bytes"
        raise _broken(where, f"spans {offsets[1] - offsets[0]} bytes but {claim}", name)
    return Extent(spec=spec, start=data_start + offsets[0])


def _counts(value: Any, what: str, where: str, name: str) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(type(number) is int for number in value)
    if not whole or len(value) > _MAX_DIMENSIONS or any(not 0 <= n < 1 << 63 for n in value):
        raise _broken(where, f"has a {what} that is not a list of counts", name)
    return tuple(value)


def _check_contiguous(
    extents: Sequence[Extent], data_start: int, file_bytes: int, where: str
) -> None:
    expected = data_start
    for extent in extents:
        if extent.start != expected:
            how = "overlaps the tensor before it" if extent.start < expected else "leaves a hole"
            raise _broken(where, f"{how} at byte {expected}", extent.spec.name)
        if extent.stop > file_bytes:
            end = f"ends at byte {extent.stop} of a file of {file_bytes} bytes (truncated?)"
            raise _broken(where, end, extent.spec.name)
        expected = extent.stop
    if expected != file_bytes:
        raise _broken(where, f"has {file_bytes - expected} bytes that belong to no tensor")


def _broken(where: str, what: str, tensor: str | None = None) -> CheckpointError:
    subject = where if tensor is None else f"{where}: tensor {tensor!r}"
    return CheckpointError(f"{subject} {what}", hint=_HINT)
