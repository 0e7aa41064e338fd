"""A torch device as the engine uses it: buffers to copy from, lanes to merge in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from threading import Lock

import torch

from bot.engine.accelerator import Call
from bot.engine.buffers import PAGE
from bot.engine.gpu.chunk_stream import ChunkStream
from bot.engine.tensor_inputs import LoadedChunk
from bot.errors import EnvironmentMissingError
from bot.methods.core.method_input import GRAIN

LANES = 3
"""Chunks on the device at once: one copied in, one merged, one copied out."""


class TorchDevice:
    """Merges chunks on a device, a few at a time, for any number of threads.

    Threads read into page-locked buffers of their own (a chunk of every input, a chunk of the
    output) and wait for a lane only while their chunk is on the device, so reading, copying,
    arithmetic, hashing and writing overlap. Device memory is bounded by what ``lanes`` chunks need,
    whatever the number of threads and the size of the model. Blocks larger than a grain (whole
    tensors, for spectral methods) are merged one at a time.
    """

    def __init__(self, device: torch.device, lanes: int = LANES) -> None:
        self._device = device
        self._large = Lock()
        self._idle: SimpleQueue[ChunkStream] = SimpleQueue()
        for _ in range(lanes):
            self._idle.put(ChunkStream(device))

    def buffer(self, nbytes: int) -> memoryview:
        """Host memory that begins on a page; page-locked where the device is a GPU."""
        locked = self._device.type == "cuda"
        whole = torch.empty(nbytes + PAGE, dtype=torch.uint8, pin_memory=locked)
        skip = -whole.data_ptr() % PAGE
        return whole.numpy().data[skip : skip + nbytes]

    def merge(self, loaded: LoadedChunk, call: Call, merged: memoryview) -> bool:
        """Merge a chunk into host memory, in the output's dtype; waits for a lane.

        Returns:
            False where an input or the result holds a NaN or an infinity.

        Raises:
            EnvironmentMissingError: the device has too little memory.
        """
        with self._turn_for(loaded):
            lane = self._idle.get()
            try:
                return lane.merge(loaded, call, merged)
            except torch.OutOfMemoryError as error:
                raise EnvironmentMissingError(
                    f"the device {self._device} has too little memory for tensor "
                    f"{loaded.inputs.job.output.name!r}",
                    hint="end what else runs on it, or use --device cpu",
                ) from error
            finally:
                self._idle.put(lane)

    def _turn_for(self, loaded: LoadedChunk) -> AbstractContextManager[object]:
        large = loaded.chunk.elements > len(loaded.chunk.grains) * GRAIN
        return self._large if large else nullcontext()


def cuda(index: int) -> TorchDevice:
    """An NVIDIA GPU, by its number.

    Raises:
        EnvironmentMissingError: there is none of that number.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= found:
        raise EnvironmentMissingError(
            f"the device cuda:{index} cannot be used for merging here: "
            f"torch {torch.__version__} sees {found or 'no'} CUDA GPU",
            hint="use --device cpu: merging is bound by the disk, not by arithmetic",
        )
    torch.set_float32_matmul_precision("highest")  # no TF32
    return TorchDevice(torch.device("cuda", index))
