"""One output tensor as work for the pool: its statistics, its arithmetic or copy, its writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

from bot.cached_attribute import cached_attribute
from bot.checkpoint.decode import all_finite
from bot.checkpoint.digest import Sha256s, TensorDigest
from bot.checkpoint.encode import encode
from bot.checkpoint.sink import Sink
from bot.checkpoint.source import Source
from bot.engine.accelerator import Accelerator, Call
from bot.engine.buffers import (
    MERGED,
    REUSED_TASK_BYTES,
    ROUNDED,
    Buffers,
    FreshBuffers,
    Scratch,
    return_freed_memory,
)
from bot.engine.chunks import Chunk, chunks
from bot.engine.input_cache import InputCache
from bot.engine.kernel_choice import Kernels
from bot.engine.kernels.stored_grain import NATIVE, Combine
from bot.engine.tensor_inputs import GrainView, LoadedChunk, TensorInputs, check_finite
from bot.engine.tensor_statistics import Folding, States
from bot.engine.worker_pool import TensorBatch
from bot.errors import NonFiniteError
from bot.methods.core.all_methods import catalogue
from bot.methods.core.method_input import Block, Unit
from bot.methods.core.reduction import Reduction, Stat
from bot.methods.core.registry import Method
from bot.plan.budget import is_whole, whole_tensor_bytes
from bot.plan.merge_plan import TensorJob

R = TypeVar("R")
Combiner = Callable[[GrainView, memoryview], None]
"""Merges a grain into stored bytes."""
Done = Callable[[str, int], None]
"""Is called with a tensor and how many more of its bytes are written."""


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """What the work on all tensors of an output shares.

    Arithmetic is done holding ``processors``, reading and writing are not: there are more workers
    than processors, so that the disk is busy while others compute.
    """

    sources: Mapping[str, Source]
    sink: Sink
    chunk_grains: int
    done: Done
    scratch: Scratch
    input_cache: InputCache
    kernels: Kernels | None
    sha256s: Sha256s
    processors: AbstractContextManager[object]
    accelerator: Accelerator | None = None

    def inputs(self, job: TensorJob, kept: memoryview | None = None) -> TensorInputs:
        """The job's tensors; ``kept`` is memory for all of them."""
        return TensorInputs(job, self.sources, self.buffers(job), kept)

    def buffers(self, job: TensorJob) -> Buffers:
        """Where the job's tasks read to and merge into."""
        return FreshBuffers() if self._is_whole(job) else self.scratch

    def task_bytes(self, inputs: TensorInputs) -> int:
        """The memory that each task needs beside its worker's buffers."""
        return whole_tensor_bytes(inputs.job, inputs.width) if self._is_whole(inputs.job) else 0

    def _is_whole(self, job: TensorJob) -> bool:
        return self.accelerator is None and is_whole(job, catalogue())

    def output(self, job: TensorJob) -> TensorOutput:
        """Where the job's result goes."""
        return TensorOutput(self, job, TensorDigest(job.output.nbytes, self.sha256s))

    def chunks(self, job: TensorJob, unit: Unit) -> Iterator[Chunk]:
        """The job's tensor cut for I/O."""
        return chunks(job.output.shape, job.output.elements, unit, self.chunk_grains)


@dataclass(frozen=True)
class TensorOutput:
    """Writes one tensor and knows its digest in the end."""

    context: ExecutionContext
    job: TensorJob
    digest: TensorDigest

    def put(self, start: int, data: memoryview) -> None:
        """Hash and write bytes that begin at element ``start``; on any thread."""
        offset = start * self.job.output.dtype.itemsize
        with self.context.processors:
            self.digest.take(offset, data)
        self.context.sink.write(self.job.output.name, offset, data)

    def batches(self, tasks: Iterable[Callable[[], int]], nbytes: int = 0) -> Iterator[TensorBatch]:
        """Write everything, counting bytes, then tell the sink that the tensor is complete."""
        yield TensorBatch(tasks, partial(self.context.done, self.job.output.name), nbytes)
        yield TensorBatch([self._finish], lambda _: None)

    def _finish(self) -> None:
        self.context.sink.finish(self.job.output.name, self.digest.hexdigest())


def copied(job: TensorJob, context: ExecutionContext) -> Iterator[TensorBatch]:
    """A tensor that is taken over byte by byte."""
    output = context.output(job)
    inputs = context.inputs(job)
    (slot,) = job.models

    def copy(chunk: Chunk) -> int:
        (stored,) = inputs.load(chunk).stored
        if job.output.dtype.mergeable:
            with context.processors:
                check_finite(
                    stored, job.output.dtype, slot, chunk.start, context.sources[slot.source]
                )
        output.put(chunk.start, stored)
        return stored.nbytes

    yield from output.batches(partial(copy, chunk) for chunk in context.chunks(job, Unit.GRAIN))


@dataclass(frozen=True)
class MergedTensor:
    """A tensor that is computed.

    ``inputs`` are the same for all threads, since they remember draws; ``known`` are the statistics
    of model scope, which were made before any tensor was merged.
    """

    job: TensorJob
    context: ExecutionContext
    inputs: TensorInputs
    known: Mapping[str, Stat] = field(default_factory=dict)

    @cached_attribute
    def method(self) -> Method:
        """What computes it."""
        return catalogue()[str(self.job.method)]

    @cached_attribute
    def arguments(self) -> SimpleNamespace:
        """Keyword arguments of the method."""
        return self.method.arguments(self.job.parameters, len(self.job.models))

    @cached_attribute
    def asked(self) -> Mapping[str, Reduction[Any] | None]:
        """All statistics the method asks for."""
        return self.method.reductions(self.arguments)

    def chunks(self) -> Iterator[Chunk]:
        """The tensor cut for I/O."""
        return self.context.chunks(self.job, self.method.unit)

    def scan(self, folding: Folding, chunk: Chunk) -> list[States]:
        """The states of a chunk's grains."""
        with np.errstate(all="ignore"):  # an overflow shows in the merge, which tells it by name
            return folding.scan(
                self._parts(chunk), self.context.processors, kernels=self.context.kernels
            )

    def _parts(self, chunk: Chunk) -> Iterator[LoadedChunk]:
        """The chunk grain by grain: what was just read is still in the processor's cache."""
        return map(self.inputs.load, chunk.single)

    def batches(self) -> Iterator[TensorBatch]:
        """Statistics in as many passes as they need, then the arithmetic."""
        asked = {name: self.asked[name] for name in self.asked if name not in self.known}
        folding = Folding(asked, self.job.output, len(self.job.models))
        cache = self.context.input_cache
        wanted = folding.open and self.inputs.costly
        kept = cache.take(self.inputs.nbytes) if wanted else None
        try:
            yield from replace(self, inputs=self.context.inputs(self.job, kept)).passes(folding)
        finally:  # the work may be given up between two batches
            if kept is not None:
                cache.give_back(kept)

    def passes(self, folding: Folding) -> Iterator[TensorBatch]:
        """Fold until all is known, then merge."""
        nbytes = self.context.task_bytes(self.inputs)
        while folding.open:
            yield TensorBatch(
                (self._task(partial(self.scan, folding, chunk), nbytes) for chunk in self.chunks()),
                folding.fold,
                nbytes,
            )
            folding.end_pass()
        output = self.context.output(self.job)
        stats = {**self.known, **folding.answers}
        call = partial(self.method.function, **vars(self.arguments), **stats)
        write = partial(self._write, output, call, self._combiner(call, stats))
        tasks = (self._task(partial(write, chunk), nbytes) for chunk in self.chunks())
        yield from output.batches(tasks, nbytes)

    @staticmethod
    def _task(task: Callable[[], R], nbytes: int) -> Callable[[], R]:
        """The task; one that takes much memory of its own gives it back when it is done."""
        return task if nbytes < REUSED_TASK_BYTES else partial(_then_return_memory, task)

    def _write(self, output: TensorOutput, call: Call, combine: Combiner, chunk: Chunk) -> int:
        nbytes = chunk.elements * self.job.output.dtype.itemsize
        merged = self.inputs.buffers.take(MERGED, nbytes)
        helper = self.context.accelerator
        if helper is None or not helper.merge(self.inputs.load(chunk), call, merged):
            self._fill(merged, combine, chunk)
        output.put(chunk.start, merged)
        return merged.nbytes

    def _fill(self, merged: memoryview, combine: Combiner, chunk: Chunk) -> None:
        size = self.job.output.dtype.itemsize
        for loaded in self._parts(chunk):
            with self.context.processors:
                for view in loaded.views():
                    start, stop, _ = view.grain.span
                    made = merged[(start - chunk.start) * size : (stop - chunk.start) * size]
                    combine(view, made)

    def _combiner(self, call: Call, stats: Mapping[str, Stat]) -> Combiner:
        """The method's kernel where it has one, with the plain definition for what it refuses."""
        plain = partial(self._combine, call)
        if self.context.kernels is None or self.context.accelerator:
            return plain
        kernel = self.context.kernels.for_method(self.method.name, self.arguments, stats)
        return plain if kernel is None else partial(self._fuse, kernel, plain)

    def _fuse(self, kernel: Combine, plain: Combiner, view: GrainView, merged: memoryview) -> None:
        dtype = self.job.output.dtype
        native = NATIVE.get(dtype)
        if native is not None:
            finite = kernel(view.stored, np.frombuffer(merged, native))
        else:
            elements = view.grain.span.stop - view.grain.span.start
            single = self.inputs.buffers.take(ROUNDED, elements * 4)
            finite = kernel(view.stored, np.frombuffer(single, "<u4"))
            encode(np.frombuffer(single, np.float32), dtype, merged)
            finite = finite and all_finite(merged, dtype)
        if not finite:
            plain(view, merged)

    def _combine(self, call: Call, view: GrainView, merged: memoryview) -> None:
        with np.errstate(all="ignore"):
            values = np.asarray(call(view.block), np.float32)
        encode(values.reshape(-1), self.job.output.dtype, merged)
        if not all_finite(merged, self.job.output.dtype):
            raise self._not_finite(view.block)

    def _not_finite(self, block: Block) -> NonFiniteError:
        output = self.job.output
        return NonFiniteError(
            f"the merge of tensor {output.name!r} by {self.method.name} is not a number, or too "
            f"large for {output.dtype.torch_name}, in elements {block.span.start} to "
            f"{block.span.stop}; its parents are finite",
            hint="check the weights, or choose a dtype with more range (float32, bfloat16)",
            of_merge=True,
        )


def _then_return_memory(task: Callable[[], R]) -> R:
    try:
        return task()
    finally:
        return_freed_memory()
