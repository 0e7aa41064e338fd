"""The inputs of one output tensor: read chunk by chunk, decoded grain by grain, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.checkpoint.decode import all_finite, decode
from bot.checkpoint.source import Source
from bot.checkpoint.tensor import Dtype
from bot.engine.buffers import Scratch
from bot.engine.chunks import Chunk, Grain
from bot.engine.masks import PhiloxDraws
from bot.errors import CheckpointError, NonFiniteError
from bot.methods.block import Array, Block
from bot.plan.model import Slot, TensorJob

_FIRST_INPUT_SLOT = 1


@dataclass(frozen=True)
class Inputs:
    """A job's tensors in their sources.

    Raises:
        CheckpointError: a source lacks the tensor, or holds it in another shape.
    """

    job: TensorJob
    sources: Mapping[str, Source]
    scratch: Scratch

    @cached_property
    def dtypes(self) -> tuple[Dtype, ...]:
        """Stored dtypes, base first where there is one."""
        return tuple(self._dtype(slot) for slot in self.job.inputs)

    def load(self, chunk: Chunk) -> Loaded:
        """Read a chunk of every input into this thread's buffers; the chunk before it ends."""
        stored = []
        for number, (slot, dtype) in enumerate(zip(self.job.inputs, self.dtypes, strict=True)):
            buffer = self.scratch.take(_FIRST_INPUT_SLOT + number, chunk.elements * dtype.itemsize)
            self.sources[slot.source].read_into(slot.tensor, chunk.start * dtype.itemsize, buffer)
            stored.append(buffer)
        return Loaded(self, chunk, tuple(stored))

    def _dtype(self, slot: Slot) -> Dtype:
        spec = self.sources[slot.source].tensors().get(slot.tensor)
        if spec is None or spec.shape != self.job.output.shape:
            found = "is missing" if spec is None else f"has shape {list(spec.shape)}"
            raise CheckpointError(
                f"{slot.source}: tensor {slot.tensor!r} {found}; "
                f"the plan expects shape {list(self.job.output.shape)}",
                hint="the model changed after the merge was planned; run the command again",
            )
        return spec.dtype


@dataclass(frozen=True)
class Loaded:
    """A chunk of every input, as stored."""

    inputs: Inputs
    chunk: Chunk
    stored: tuple[memoryview, ...]

    def blocks(self) -> Iterator[Block]:
        """The chunk's grains in float32.

        Raises:
            NonFiniteError: an input holds a NaN or an infinity; names the source and the tensor.
        """
        job = self.inputs.job
        draws = PhiloxDraws(seed=job.seed, tensor=job.output.name)
        for grain in self.chunk.grains:
            arrays = self._arrays(grain)
            yield Block(
                base=arrays[0] if job.base else None,
                models=arrays[1:] if job.base else arrays,
                span=grain.span,
                shape=job.output.shape,
                tensor=job.output.name,
                draws=draws,
            )

    def _arrays(self, grain: Grain) -> tuple[Array, ...]:
        arrays = []
        rows = zip(self.inputs.job.inputs, self.inputs.dtypes, self.stored, strict=True)
        for slot, dtype, chunk in rows:
            first = (grain.span.start - self.chunk.start) * dtype.itemsize
            stored = chunk[first : first + (grain.span.stop - grain.span.start) * dtype.itemsize]
            check_finite(stored, dtype, slot, grain.span.start)
            arrays.append(decode(stored, dtype).reshape(grain.shape))
        return tuple(arrays)


def check_finite(stored: memoryview, dtype: Dtype, slot: Slot, start: int) -> None:
    """Refuse a parent's NaN or infinity.

    Raises:
        NonFiniteError: names the source, the tensor and the stretch of elements.
    """
    if not all_finite(stored, dtype):
        stop = start + stored.nbytes // dtype.itemsize
        raise NonFiniteError(
            f"{slot.source}: tensor {slot.tensor!r} holds a NaN or an infinity "
            f"in elements {start} to {stop}",
            hint="this parent is broken: download it again, or leave it out of the recipe",
        )
