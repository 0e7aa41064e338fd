"""One chunk on its way through the device: copied in, decoded, merged, rounded, copied out."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

import torch

from bot.checkpoint.tensor_spec import Dtype
from bot.engine.accelerator import Call
from bot.engine.chunks import Grain
from bot.engine.gpu.device_arrays import DeviceArray
from bot.engine.gpu.device_random_masks import DeviceDraws
from bot.engine.tensor_inputs import LoadedChunk
from bot.methods.core.method_input import Block

STORED = MappingProxyType(
    {
        Dtype.F64: torch.float64,
        Dtype.F32: torch.float32,
        Dtype.F16: torch.float16,
        Dtype.BF16: torch.bfloat16,
    }
)


class ChunkStream:
    """A stream of its own where the device is a GPU; one thread uses it at a time.

    On the device it holds the chunk's stored inputs and its result, and as much as ``4 * inputs +
    8`` float32 arrays of one block, for methods that work by grains or rows; what torch keeps in
    reserve and needs for sorting comes on top.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch's gap

    def merge(self, loaded: LoadedChunk, call: Call, merged: memoryview) -> bool:
        """Merge a chunk into host memory, in the output's dtype.

        Returns:
            False where an input or the result holds a NaN or an infinity; ``merged`` is then
            undefined.
        """
        with self._turn():
            inputs = [
                self._upload(part, dtype)
                for part, dtype in zip(loaded.stored, loaded.inputs.dtypes, strict=True)
            ]
            if not _finite(*inputs):
                return False
            kind = STORED[loaded.inputs.job.output.dtype]
            result = torch.empty(loaded.chunk.elements, dtype=kind, device=self._device)
            for grain in loaded.chunk.grains:
                values: Any = call(self._block(loaded, grain, inputs))
                _part(result, loaded, grain).copy_(values.astype("f4").tensor.reshape(-1))
            torch.frombuffer(merged, dtype=kind).copy_(result, non_blocking=True)
            return _finite(result)  # waits for the stream, and so for the copy

    def _turn(self) -> AbstractContextManager[Any]:
        return torch.cuda.stream(self._stream) if self._stream else nullcontext()

    def _upload(self, part: memoryview, dtype: Dtype) -> torch.Tensor:
        host = torch.frombuffer(part, dtype=torch.uint8)
        return host.to(self._device, non_blocking=True).view(STORED[dtype])

    def _block(self, loaded: LoadedChunk, grain: Grain, inputs: list[torch.Tensor]) -> Block:
        job = loaded.inputs.job
        arrays: tuple[Any, ...] = tuple(
            DeviceArray(_part(stored, loaded, grain).to(torch.float32).reshape(grain.shape))
            for stored in inputs
        )
        return Block(
            base=arrays[0] if job.base else None,
            models=arrays[1:] if job.base else arrays,
            span=grain.span,
            shape=job.output.shape,
            tensor=job.output.name,
            draws=DeviceDraws(host=loaded.draws, device=self._device),
        )


def _part(chunk: torch.Tensor, loaded: LoadedChunk, grain: Grain) -> torch.Tensor:
    start = loaded.chunk.start
    return chunk[grain.span.start - start : grain.span.stop - start]


def _finite(*tensors: torch.Tensor) -> bool:
    return bool(torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all())
