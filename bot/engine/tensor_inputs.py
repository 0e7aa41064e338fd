"""The inputs of one output tensor: read chunk by chunk, decoded grain by grain, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from bot.cached_attribute import cached_attribute
from bot.checkpoint.decode import all_finite, decode, first_not_finite
from bot.checkpoint.source import Source, is_costly, whereabouts
from bot.checkpoint.tensor_spec import Dtype
from bot.engine.buffers import INPUTS, WIDENED, Buffers
from bot.engine.chunks import Chunk, Grain
from bot.engine.kernels.stored_grain import NATIVE, Bits, KeptMasks, StoredGrain
from bot.engine.random_masks import PhiloxDraws
from bot.errors import CheckpointError, NonFiniteError
from bot.methods.core.method_input import Array, Block
from bot.plan.merge_plan import Slot, TensorJob


@dataclass(frozen=True)
class TensorInputs:
    """A job's tensors in their sources.

    Args:
        job: the output tensor.
        sources: where its inputs are.
        buffers: where a chunk of them is read to, unless ``kept`` holds the whole tensor.
        kept: memory for all of the inputs, so that later passes need not read them again.
        kept_masks: the random masks that kernels keep from one pass to the next.

    Raises:
        CheckpointError: a source lacks the tensor, or holds it in another shape.
    """

    job: TensorJob
    sources: Mapping[str, Source]
    buffers: Buffers
    kept: memoryview | None = None
    kept_masks: KeptMasks = field(default_factory=dict, init=False)
    _read: set[int] = field(default_factory=set, init=False)

    @cached_attribute
    def dtypes(self) -> tuple[Dtype, ...]:
        """Stored dtypes, base first where there is one."""
        return tuple(self._dtype(slot) for slot in self.job.inputs)

    @property
    def nbytes(self) -> int:
        """The size of all of them."""
        return self.job.output.elements * self.width

    @property
    def costly(self) -> bool:
        """Whether reading one of them again costs more than the memory to keep them."""
        return any(is_costly(self.sources[slot.source], slot.tensor) for slot in self.job.inputs)

    def load(self, chunk: Chunk) -> LoadedChunk:
        """A chunk of every input; without ``kept``, this thread's last chunk ends."""
        whole = buffer = self._place(chunk)
        stored = []
        for slot, dtype in zip(self.job.inputs, self.dtypes, strict=True):
            size = chunk.elements * dtype.itemsize
            part, buffer = buffer[:size], buffer[size:]
            if chunk.start not in self._read:
                self.sources[slot.source].read_into(slot.tensor, chunk.start * dtype.itemsize, part)
            stored.append(part)
        if self.kept is not None:
            self._read.add(chunk.start)
        return LoadedChunk(self, chunk, whole, tuple(stored))

    @cached_attribute
    def width(self) -> int:
        """Bytes of one element of all inputs together, as stored."""
        return sum(dtype.itemsize for dtype in self.dtypes)

    def _place(self, chunk: Chunk) -> memoryview:
        if self.kept is None:
            return self.buffers.take(INPUTS, chunk.elements * self.width)
        return self.kept[chunk.start * self.width :][: chunk.elements * self.width]

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
class LoadedChunk:
    """A chunk of every input, as stored."""

    inputs: TensorInputs
    chunk: Chunk
    whole: memoryview
    stored: tuple[memoryview, ...]

    @cached_attribute
    def draws(self) -> PhiloxDraws:
        """The random words of this tensor."""
        return PhiloxDraws(seed=self.inputs.job.seed, tensor=self.inputs.job.output.name)

    def views(self) -> Iterator[GrainView]:
        """The chunk's grains, first to last; a view ends where the next one begins."""
        return (GrainView(self, grain) for grain in self.chunk.grains)

    def block(self, grain: Grain) -> Block:
        """A grain in float32.

        Raises:
            NonFiniteError: an input holds a NaN or an infinity; names the source and the tensor.
        """
        job, arrays = self.inputs.job, self._arrays(grain)
        return Block(
            base=arrays[0] if job.base else None,
            models=arrays[1:] if job.base else arrays,
            span=grain.span,
            shape=job.output.shape,
            tensor=job.output.name,
            draws=self.draws,
        )

    def as_stored(self, grain: Grain) -> StoredGrain:
        """A grain for the kernels: stored bits, or float32 bits where the dtypes differ."""
        return StoredGrain(
            bits=self._bits(grain),
            has_base=self.inputs.job.base is not None,
            width=grain.shape[-1] if grain.shape else 1,
            span=grain.span,
            tensor=self.inputs.job.output.name,
            draws=self.draws,
            kept_masks=self.inputs.kept_masks,
        )

    def _bits(self, grain: Grain) -> Bits:
        dtypes, elements = self.inputs.dtypes, grain.span.stop - grain.span.start
        native = NATIVE.get(dtypes[0]) if len(set(dtypes)) == 1 else None
        if native is not None and elements == self.chunk.elements:
            return np.frombuffer(self.whole, native).reshape(len(dtypes), elements)
        wide = self.inputs.buffers.take(WIDENED, len(dtypes) * elements * 4)
        values = np.frombuffer(wide, np.float32).reshape(len(dtypes), elements)
        for row, array in zip(values, self._arrays(grain), strict=True):
            row[:] = array.reshape(-1)
        return values.view(np.uint32)

    def _arrays(self, grain: Grain) -> tuple[Array, ...]:
        arrays = []
        rows = zip(self.inputs.job.inputs, self.inputs.dtypes, self.stored, strict=True)
        for slot, dtype, chunk in rows:
            first = (grain.span.start - self.chunk.start) * dtype.itemsize
            stored = chunk[first : first + (grain.span.stop - grain.span.start) * dtype.itemsize]
            source = self.inputs.sources[slot.source]
            check_finite(stored, dtype, slot, grain.span.start, source)
            arrays.append(decode(stored, dtype).reshape(grain.shape))
        return tuple(arrays)


@dataclass(frozen=True)
class GrainView:
    """One grain in the two forms that arithmetic may want, each made when it is asked for."""

    loaded: LoadedChunk
    grain: Grain

    @cached_attribute
    def block(self) -> Block:
        """In float32, checked to be finite."""
        return self.loaded.block(self.grain)

    @cached_attribute
    def stored(self) -> StoredGrain:
        """As stored."""
        return self.loaded.as_stored(self.grain)


def check_finite(stored: memoryview, dtype: Dtype, slot: Slot, start: int, source: Source) -> None:
    """Refuse a parent's NaN or infinity.

    Raises:
        NonFiniteError: names the source, the tensor, the element and the file.
    """
    if not all_finite(stored, dtype):
        element = start + first_not_finite(stored, dtype)
        raise NonFiniteError(
            f"{slot.source}: tensor {slot.tensor!r} holds a NaN or an infinity "
            f"at element {element}{whereabouts(source, slot.tensor)}",
            hint="this parent is broken: download it again, or leave it out of the recipe",
        )
