"""A sink that compares what is written with an existing checkpoint, for ``verify``."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bot.checkpoint.digest import model_digest
from bot.checkpoint.source import Source
from bot.checkpoint.tensor_spec import Dtype, TensorSpec

Bits = type[np.int64] | type[np.int32] | type[np.int16]

_BITS: Mapping[Dtype, Bits] = {
    Dtype.F64: np.int64,
    Dtype.F32: np.int32,
    Dtype.F16: np.int16,
    Dtype.BF16: np.int16,
}
_UNORDERED = 1 << 62


class ComparingSink:
    """Measures how far a merge is from an existing model, tensor by tensor.

    ``distances`` maps each tensor that differs to its largest distance in units in the last place
    of its dtype; a tensor whose dtype, shape or presence differs has no distance (None).
    """

    def __init__(self, existing: Source) -> None:
        self._existing = existing
        self._specs: dict[str, TensorSpec] = {}
        self._digests: dict[str, str] = {}
        self._lock = threading.Lock()
        self.distances: dict[str, int | None] = {}

    def begin(self, layout: Sequence[TensorSpec], plan: str) -> Mapping[str, str]:
        """Compare the two lists of tensors; no tensor counts as finished beforehand."""
        del plan
        there = self._existing.tensors()
        self._specs = {spec.name: spec for spec in layout}
        for name in self._specs.keys() | there.keys():
            if self._specs.get(name) != there.get(name):
                self.distances[name] = None
        return {}

    def write(self, name: str, offset: int, data: memoryview) -> None:
        """Compare a piece with the existing checkpoint's bytes at the same position."""
        if name in self.distances and self.distances[name] is None:
            return
        made = data.cast("B")
        found = memoryview(bytearray(made.nbytes))
        self._existing.read_into(name, offset, found)
        if made == found:
            return
        distance = ulp_distance(made, found, self._specs[name].dtype)
        with self._lock:
            self.distances[name] = max(distance, self.distances.get(name) or 0)

    def finish(self, name: str, digest: str) -> None:
        """Keep the tensor's digest."""
        self._digests[name] = digest

    def commit(self, files: Mapping[str, bytes]) -> str:
        """The model digest of what was written."""
        return model_digest(self._specs, self._digests, files)

    def abort(self) -> None:
        """Do nothing: no file was written."""

    @property
    def digests(self) -> Mapping[str, str]:
        """Digests of the written tensors, by name."""
        return self._digests


def ulp_distance(left: memoryview, right: memoryview, dtype: Dtype) -> int:
    """The largest distance between two runs of numbers, in units in the last place.

    Integers and other dtypes without units count as infinitely far apart when they differ.
    """
    bits = _BITS.get(dtype)
    if bits is None:
        return _UNORDERED
    one, other = _ordered(left, bits), _ordered(right, bits)
    # Two float64 can lie more than 2^63 apart, which only fits without a sign.
    gap = np.maximum(one, other).view(np.uint64) - np.minimum(one, other).view(np.uint64)
    return int(gap.max(initial=0))


def _ordered(data: memoryview, bits: Bits) -> npt.NDArray[np.int64]:
    """Floats as integers in the order of their values; both zeros are 0."""
    values = np.frombuffer(data, dtype=bits).astype(np.int64)
    lowest = np.int64(np.iinfo(bits).min)
    return np.where(values < 0, lowest - values, values)
