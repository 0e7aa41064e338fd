"""One output tensor as work for the pool: statistics, arithmetic or a copy, digest, writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from bot.cached_attribute import cached_attribute
from bot.checkpoint.decode import all_finite
from bot.checkpoint.digest import Sha256s, TensorDigest
from bot.checkpoint.encode import encode
from bot.checkpoint.sink import Sink
from bot.checkpoint.source import Source
from bot.engine.buffers import MERGED, ROUNDED, Scratch
from bot.engine.chunks import Chunk, chunks
from bot.engine.devices import Accelerator, Call
from bot.engine.input_cache import InputCache
from bot.engine.kernels.stored_grain import NATIVE, Combine
from bot.engine.tensor_inputs import GrainView, Inputs, Loaded, check_finite
from bot.engine.tensor_statistics import Folding, States
from bot.engine.worker_pool import TensorBatch
from bot.errors import NonFiniteError
from bot.methods.core.all_methods import catalogue
from bot.methods.core.method_input import Block, Unit
from bot.methods.core.reduction import Reduction, Stat
from bot.methods.core.registry import Method
from bot.plan.merge_plan import TensorJob

Combiner = Callable[[GrainView, memoryview], None]
"""Merges a grain into stored bytes."""
Done = Callable[[str, int], None]
"""Told the tensor and how many more of its bytes are written."""


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """What every tensor's work shares.

    Arithmetic is done holding ``processors``, reading and writing are not: there are more workers
    than processors, so that the disk is busy while others compute.
    """

    sources: Mapping[str, Source]
    sink: Sink
    chunk_grains: int
    done: Done
    scratch: Scratch
    shelf: InputCache
    fused: bool
    sha256s: Sha256s
    processors: AbstractContextManager[object]
    accelerator: Accelerator | None = None

    def inputs(self, job: TensorJob, room: memoryview | None = None) -> Inputs:
        """The job's tensors."""
        return Inputs(job, self.sources, self.scratch, room)

    def output(self, job: TensorJob) -> Output:
        """Where the job's result goes."""
        return Output(self, job, TensorDigest(job.output.nbytes, self.sha256s))

    def chunks(self, job: TensorJob, unit: Unit) -> Iterator[Chunk]:
        """The job's tensor cut for I/O."""
        return chunks(job.output.shape, job.output.elements, unit, self.chunk_grains)


@dataclass(frozen=True)
class Output:
    """Writes one tensor and knows its digest in the end."""

    shop: ExecutionContext
    job: TensorJob
    digest: TensorDigest

    def put(self, start: int, data: memoryview) -> None:
        """Hash and write bytes that begin at element ``start``; on any thread."""
        offset = start * self.job.output.dtype.itemsize
        with self.shop.processors:
            self.digest.take(offset, data)
        self.shop.sink.write(self.job.output.name, offset, data)

    def waves(self, tasks: Iterable[Callable[[], int]]) -> Iterator[TensorBatch]:
        """Write everything, counting bytes, then tell the sink that the tensor is complete."""
        yield TensorBatch(tasks, partial(self.shop.done, self.job.output.name))
        yield TensorBatch([self._finish], lambda _: None)

    def _finish(self) -> None:
        self.shop.sink.finish(self.job.output.name, self.digest.hexdigest())


def copied(job: TensorJob, shop: ExecutionContext) -> Iterator[TensorBatch]:
    """A tensor that is taken over byte by byte."""
    output = shop.output(job)
    inputs = shop.inputs(job)
    (slot,) = job.models

    def copy(chunk: Chunk) -> int:
        (stored,) = inputs.load(chunk).stored
        if job.output.dtype.mergeable:
            with shop.processors:
                check_finite(stored, job.output.dtype, slot, chunk.start, shop.sources[slot.source])
        output.put(chunk.start, stored)
        return stored.nbytes

    yield from output.waves(partial(copy, chunk) for chunk in shop.chunks(job, Unit.GRAIN))


@dataclass(frozen=True)
class Merged:
    """A tensor that is computed.

    ``inputs`` are the same for all threads, since they remember draws; ``known`` are the statistics
    of model scope, which were made before any tensor was merged.
    """

    job: TensorJob
    shop: ExecutionContext
    inputs: Inputs
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
        return self.shop.chunks(self.job, self.method.unit)

    def scan(self, folding: Folding, chunk: Chunk) -> list[States]:
        """The states of a chunk's grains."""
        with np.errstate(all="ignore"):  # an overflow shows in the merge, which tells it by name
            return folding.scan(self._parts(chunk), self.shop.processors, fused=self.shop.fused)

    def _parts(self, chunk: Chunk) -> Iterator[Loaded]:
        """The chunk grain by grain: what was just read is still in the processor's cache."""
        return map(self.inputs.load, chunk.single)

    def waves(self) -> Iterator[TensorBatch]:
        """Statistics in as many passes as they need, then the arithmetic."""
        asked = {name: self.asked[name] for name in self.asked if name not in self.known}
        folding = Folding(asked, self.job.output, len(self.job.models))
        kept = folding.open and self.inputs.costly
        room = self.shop.shelf.take(self.inputs.nbytes) if kept else None
        try:
            yield from replace(self, inputs=self.shop.inputs(self.job, room)).passes(folding)
        finally:  # the work may be given up between two waves
            if room is not None:
                self.shop.shelf.give_back(room)

    def passes(self, folding: Folding) -> Iterator[TensorBatch]:
        """Fold until all is known, then merge."""
        while folding.open:
            yield TensorBatch(
                (partial(self.scan, folding, chunk) for chunk in self.chunks()), folding.fold
            )
            folding.end_pass()
        output = self.shop.output(self.job)
        stats = {**self.known, **folding.answers}
        call = partial(self.method.function, **vars(self.arguments), **stats)
        write = partial(self._write, output, call, self._combiner(call, stats))
        yield from output.waves(partial(write, chunk) for chunk in self.chunks())

    def _write(self, output: Output, call: Call, combine: Combiner, chunk: Chunk) -> int:
        merged = self.shop.scratch.take(MERGED, chunk.elements * self.job.output.dtype.itemsize)
        helper = self.shop.accelerator
        if helper is None or not helper.merge(self.inputs.load(chunk), call, merged):
            self._fill(merged, combine, chunk)
        output.put(chunk.start, merged)
        return merged.nbytes

    def _fill(self, merged: memoryview, combine: Combiner, chunk: Chunk) -> None:
        size = self.job.output.dtype.itemsize
        for loaded in self._parts(chunk):
            with self.shop.processors:
                for view in loaded.views():
                    start, stop, _ = view.grain.span
                    made = merged[(start - chunk.start) * size : (stop - chunk.start) * size]
                    combine(view, made)

    def _combiner(self, call: Call, stats: Mapping[str, Stat]) -> Combiner:
        """The method's kernel where it has one, with the plain definition for what it refuses."""
        plain = partial(self._combine, call)
        if not self.shop.fused or self.shop.accelerator:
            return plain
        from bot.engine.kernels.method_dispatch import combiner

        kernel = combiner(self.method.name, self.arguments, stats)
        return plain if kernel is None else partial(self._fuse, kernel, plain)

    def _fuse(self, kernel: Combine, plain: Combiner, view: GrainView, merged: memoryview) -> None:
        dtype = self.job.output.dtype
        native = NATIVE.get(dtype)
        if native is not None:
            finite = kernel(view.stored, np.frombuffer(merged, native))
        else:
            elements = view.grain.span.stop - view.grain.span.start
            single = self.shop.scratch.take(ROUNDED, elements * 4)
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
