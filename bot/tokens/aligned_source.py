"""A parent seen through the output's vocabulary: its embedding and head with rows rearranged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bot.checkpoint.decode import decode
from bot.checkpoint.encode import encode
from bot.checkpoint.source import Source, is_costly
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.tokens.token_alignment import MISSING, Alignment

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_BLOCK_BYTES = 1 << 20
_GAP_ROWS = 4  # rows read and thrown away rather than asked for separately


class AlignedSource:
    """A source whose vocabulary tensors stand in the output's vocabulary; the rest passes through.

    Thread-safe if its sources are. Holds at most a few MiB, whatever the vocabulary's size.

    Args:
        parent: the key of the parent that is seen.
        sources: every parent that the alignment takes rows from, by key.
        alignment: the rows.
    """

    def __init__(self, parent: str, sources: Mapping[str, Source], alignment: Alignment) -> None:
        self._key = parent
        self._sources = sources
        self._parent = sources[parent]
        self._alignment = alignment
        self._own = np.asarray(alignment.own[parent], np.int64)
        self._padding: dict[str, Floats] = {}
        self._aligned = {
            name: self._spec(name, by_parent)
            for name, by_parent in alignment.tensors.items()
            if parent in by_parent
        }

    @cached_property
    def id(self) -> str:
        """The ids of all sources and the alignment's digest."""
        ids = [(key, source.id) for key, source in sorted(self._sources.items())]
        return hashlib.sha256(repr((self._key, ids, self._alignment)).encode()).hexdigest()

    def tensors(self) -> Mapping[str, TensorSpec]:
        """The parent's tensors, those with token rows as they are after alignment."""
        return {**self._parent.tensors(), **self._aligned}

    def file(self, path: str) -> bytes | None:
        """The parent's own side file."""
        return self._parent.file(path)

    def costly(self, name: str) -> bool:
        """Aligned rows are gathered."""
        return name in self._aligned or is_costly(self._parent, name)

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Fill ``out`` with aligned rows from byte ``offset`` on."""
        spec = self._aligned.get(name)
        if spec is None:
            self._parent.read_into(name, offset, out)
            return
        target = out.cast("B")
        width = max(spec.nbytes // max(spec.shape[0], 1), 1)
        step = max(1, _BLOCK_BYTES // width)
        end = offset + target.nbytes
        for first in range(offset // width, -(-end // width), step):
            last = min(first + step, -(-end // width))
            rows = self._rows(name, spec, first, last)
            start, stop = max(offset, first * width), min(end, last * width)
            target[start - offset : stop - offset] = rows[start - first * width :][: stop - start]

    def _spec(self, name: str, by_parent: Mapping[str, str]) -> TensorSpec:
        mine = self._parent.tensors()[by_parent[self._key]]
        dtype = aligned_dtype(
            self._sources[key].tensors()[tensor].dtype for key, tensor in by_parent.items()
        )
        return TensorSpec(name=name, dtype=dtype, shape=(self._alignment.rows, *mine.shape[1:]))

    def _rows(self, name: str, spec: TensorSpec, first: int, last: int) -> memoryview:
        """Rows ``first`` to ``last`` as stored bytes."""
        width = spec.nbytes // max(spec.shape[0], 1)
        block = bytearray((last - first) * width)
        view = memoryview(block)
        tokens = min(last, self._alignment.tokens)
        self._gather_own(name, spec.dtype, first, tokens, view, width)
        for row in range(first, tokens):
            if self._own[row] == MISSING:
                at = (row - first) * width
                view[at : at + width] = self._fill(name, spec, row)
        if last > self._alignment.tokens:
            padding = _encoded(self._padding_row(name, spec), spec.dtype)
            for row in range(max(first, self._alignment.tokens), last):
                view[(row - first) * width : (row - first + 1) * width] = padding
        return view

    def _gather_own(
        self, name: str, dtype: Dtype, first: int, last: int, view: memoryview, width: int
    ) -> None:
        """Copy the parent's own rows into place, neighbours in one read."""
        own = self._own[first:last]
        places = np.flatnonzero(own != MISSING)
        places = places[np.argsort(own[places], kind="stable")]
        tensor = self._alignment.tensors[name][self._key]
        rows = np.frombuffer(view, np.uint8).reshape(-1, width)
        for group in _neighbours(places, own):
            low, high = int(own[group[0]]), int(own[group[-1]]) + 1
            data = self._stored(self._key, tensor, low, high, dtype)
            rows[group] = np.frombuffer(data, np.uint8).reshape(-1, width)[own[group] - low]

    def _stored(self, key: str, tensor: str, low: int, high: int, dtype: Dtype) -> memoryview:
        """Rows of a parent's tensor, as bytes of ``dtype``."""
        source = self._sources[key]
        spec = source.tensors()[tensor]
        width = spec.nbytes // max(spec.shape[0], 1)
        data = bytearray((high - low) * width)
        source.read_into(tensor, low * width, memoryview(data))
        if spec.dtype is dtype:
            return memoryview(data)
        return _encoded(decode(memoryview(data), spec.dtype), dtype)

    def _fill(self, name: str, spec: TensorSpec, row: int) -> bytes | memoryview:
        """The row of a token that the parent lacks: zeros, another parent's row, or a mean."""
        rows = self._alignment.fills[row]
        tensors = self._alignment.tensors[name]
        if not rows:
            return bytes(spec.nbytes // spec.shape[0])
        parts = [self._stored(key, tensors[key], at, at + 1, spec.dtype) for key, at in rows]
        if len(parts) == 1:
            return parts[0]
        total = decode(parts[0], spec.dtype)
        for part in parts[1:]:
            total = total + decode(part, spec.dtype)
        return _encoded(total / np.float32(len(parts)), spec.dtype)

    def _padding_row(self, name: str, spec: TensorSpec) -> Floats:
        """The mean over all tokens' rows, summed in float64 in row order."""
        if name not in self._padding:
            tokens = self._alignment.tokens
            unpadded = replace(spec, shape=(tokens, *spec.shape[1:]))
            width = max(unpadded.nbytes // max(tokens, 1), 1)
            step = max(1, _BLOCK_BYTES // width)
            total = np.zeros(max(unpadded.elements // max(tokens, 1), 1), np.float64)
            for first in range(0, tokens, step):
                rows = self._rows(name, spec, first, min(first + step, tokens))
                total += decode(rows, spec.dtype).reshape(-1, len(total)).sum(0, np.float64)
            self._padding[name] = (total / max(tokens, 1)).astype(np.float32)
        return self._padding[name]


def _encoded(values: Floats, dtype: Dtype) -> memoryview:
    stored = memoryview(bytearray(values.size * dtype.itemsize))
    encode(values, dtype, stored)
    return stored


def aligned_dtype(dtypes: Iterable[Dtype]) -> Dtype:
    """The dtype in which rows of several parents meet: theirs if they agree, else float32."""
    found = set(dtypes)
    return found.pop() if len(found) == 1 else Dtype.F32


def _neighbours(places: Indices, own: Indices) -> Iterator[Indices]:
    """Groups of places whose source rows lie close together, so that one read serves them."""
    if len(places) == 0:
        return
    gaps = np.flatnonzero(np.diff(own[places]) > _GAP_ROWS) + 1
    yield from np.split(places, gaps)
