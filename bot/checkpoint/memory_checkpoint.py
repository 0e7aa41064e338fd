"""In-memory checkpoints: a source and a sink over tensors that are not on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bot.checkpoint.digest import model_digest, tensor_digest
from bot.checkpoint.tensor_spec import TensorSpec
from bot.errors import CheckpointError

Bytes = npt.NDArray[np.uint8]


class MemorySource:
    """Tensors held as stored bytes, by spec.

    Args:
        tensors: spec -> the tensor's bytes (little-endian, row-major); not copied.
        files: side files.

    Raises:
        CheckpointError: a tensor's bytes are not as many as its spec says.
    """

    def __init__(
        self,
        tensors: Mapping[TensorSpec, bytes | bytearray | memoryview],
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self._specs = {spec.name: spec for spec in tensors}
        self._data = {spec.name: memoryview(data).cast("B") for spec, data in tensors.items()}
        self._files = dict(files or {})
        for name, spec in self._specs.items():
            if self._data[name].nbytes != spec.nbytes:
                held = self._data[name].nbytes
                raise CheckpointError(f"tensor {name!r} has {held} bytes, not {spec.nbytes}")

    @cached_property
    def id(self) -> str:
        """The model digest."""
        digests = {name: tensor_digest(self, spec) for name, spec in self._specs.items()}
        return model_digest(self._specs, digests, self._files)

    def tensors(self) -> Mapping[str, TensorSpec]:
        """Every tensor by name, in the order given."""
        return self._specs

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        """Copy bytes out.

        Raises:
            CheckpointError: no such tensor or range.
        """
        held = self._data.get(name)
        if held is None or not 0 <= offset <= held.nbytes - out.nbytes:
            raise CheckpointError(f"memory holds no {out.nbytes} bytes at {offset} of {name!r}")
        out[:] = held[offset : offset + out.nbytes]

    def file(self, path: str) -> bytes | None:
        """A side file."""
        return self._files.get(path)


class MemorySink:
    """Fills tensors in memory: fresh ones, or the parameters of a live model.

    Args:
        targets: name -> writable bytes to fill; a tensor without one gets fresh memory.
    """

    def __init__(self, targets: Mapping[str, memoryview] | None = None) -> None:
        self._targets = dict(targets or {})
        self._specs: dict[str, TensorSpec] = {}
        self._digests: dict[str, str] = {}
        self.tensors: dict[str, memoryview] = {}
        self.files: dict[str, bytes] = {}

    def begin(self, layout: Sequence[TensorSpec], plan: str) -> Mapping[str, str]:
        """Prepare buffers; no tensor counts as finished.

        Raises:
            CheckpointError: a target has another size than its tensor.
        """
        del plan
        self._specs = {spec.name: spec for spec in layout}
        for spec in layout:
            target = self._targets.get(spec.name, memoryview(bytearray(spec.nbytes))).cast("B")
            if target.nbytes != spec.nbytes:
                message = f"the target of tensor {spec.name!r} has {target.nbytes} bytes"
                raise CheckpointError(f"{message}, not {spec.nbytes}")
            self.tensors[spec.name] = target
        return {}

    def write(self, name: str, offset: int, data: memoryview) -> None:
        """Copy bytes in."""
        self.tensors[name][offset : offset + data.nbytes] = data.cast("B")

    def finish(self, name: str, digest: str) -> None:
        """Keep the digest."""
        self._digests[name] = digest

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Keep the side files; returns the model digest."""
        self.files = dict(files)
        return model_digest(self._specs, self._digests, files)

    def abort(self) -> None:
        """Do nothing: partly filled tensors stay as they are."""
