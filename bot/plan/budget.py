"""What a merge costs, from the plan's jobs alone."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import GRAIN, Unit
from bot.methods.core.registry import Method
from bot.methods.operators.task_matrices import is_projection
from bot.plan.merge_plan import Budget, TensorJob

THROUGHPUT = 400e6
"""Bytes read and written per second by a two-core machine with a plain disk. Parents that are in
the page cache, beside a fast disk, are merged about ten times as fast: time is an upper figure."""
CORES = 2
"""Of the machine that time is estimated for."""
STARTUP_SECONDS = 0.5
"""Loading the interpreter, NumPy and compiled kernels."""
WORKER_BYTES = 1 << 20
"""Of one worker, whatever it works on: its stack and what the C library holds ready for it."""
PROCESS_BYTES = 128 << 20
"""Anonymous memory of the process itself: interpreter, NumPy and compiled kernels."""
SVD_SECONDS = 6e-10
"""Of one core for the singular values and vectors of an (m, n) matrix in float64, times m, n and
the smaller of them. Measured: 4e-10 to 7e-10 (OpenBLAS, AMD EPYC and a shared Xeon); a machine with
other work to do takes longer."""
CHUNK_GRAINS = 4
"""Grains that are written together; a copy also reads them together, a merge one by one."""

Specs = Mapping[tuple[str, str], TensorSpec]
"""(source key, tensor) -> the tensor as read."""
KEPT_BYTES = 160 << 20
"""Inputs that cost to be read are kept between the passes of a method, in no more than that."""
WAITING_FOR_THE_DISK = 2
"""Workers beyond the threads that compute, so that reads and writes overlap with arithmetic."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a merge will have.

    ``threads`` compute at once; ``memory`` is what the process may use in bytes, None without a
    limit; ``throughput`` is in bytes per second, reading and writing together.
    """

    threads: int = CORES
    memory: int | None = None
    throughput: float = THROUGHPUT


ASSUMED = Resources()
"""What is assumed where nothing is known."""


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """How a merge divides the memory it may use; bytes.

    Attributes:
        workers: threads that read, compute or write at the same time.
        kept_inputs: for inputs that stay in memory between the passes of a method.
        whole_tensors: for tensors that are computed whole, side by side.
        peak: anonymous memory of the process at most.
        least: the peak with one worker, nothing kept, and one whole tensor at a time.
    """

    workers: int
    kept_inputs: int
    whole_tensors: int
    peak: int
    least: int


def budget(
    jobs: Sequence[TensorJob],
    methods: Mapping[str, Method],
    specs: Specs,
    remote: Collection[str],
    costly: Collection[str],
    resources: Resources = ASSUMED,
) -> Budget:
    """Bytes in, bytes out, bytes to fetch, peak memory and a rough time.

    Args:
        jobs: the plan's.
        methods: to know which ones must see a whole tensor at once.
        specs: (source key, tensor) -> the tensor as read.
        remote: source keys whose parents must be fetched; each tensor is counted once.
        costly: source keys whose tensors cost to be read again, so that they may be kept.
        resources: what the merge will have.
    """
    reads = [(slot.source, slot.tensor) for job in jobs for slot in job.inputs]
    input_bytes = sum(specs[key].nbytes for key in reads)
    output_bytes = sum(job.output.nbytes for job in jobs)
    fetched = {key for key in reads if key[0] in remote}
    planned = plan_memory(
        jobs, methods, _stored_bytes(jobs, specs), _costly_bytes(jobs, specs, costly),
        threads=resources.threads, memory=resources.memory,
    )  # fmt: skip
    return Budget(
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        download_bytes=sum(specs[key].nbytes for key in fetched),
        peak_memory_bytes=planned.peak,
        seconds=STARTUP_SECONDS
        + (input_bytes + output_bytes) / resources.throughput
        + sum(_svd_seconds(job) for job in jobs if is_whole(job, methods)) / CORES,
    )


def plan_memory(
    jobs: Sequence[TensorJob],
    methods: Mapping[str, Method],
    stored: Sequence[int],
    costly: int,
    *,
    threads: int,
    memory: int | None = None,
) -> MemoryPlan:
    """Divide the memory that a merge may use among its workers and its whole tensors.

    Workers are fewer than ``threads`` asks for where their buffers would not fit. A tensor that is
    computed whole starts when there is room for it beside those under way. Where even one worker
    or one tensor alone needs more than ``memory``, ``peak`` is above it and equals ``least``.

    Args:
        jobs: what is to be merged.
        methods: to know which ones must see a whole tensor at once.
        stored: for each job, the bytes of one element of all its inputs as stored.
        costly: bytes of the inputs that cost to be read again.
        threads: how many compute at once.
        memory: bytes that the merge may use; None means no limit.
    """
    sized = list(zip(jobs, stored, strict=True))
    worker = WORKER_BYTES + max(
        (_worker_bytes(job, size, methods) for job, size in sized), default=0
    )
    wholes = [whole_tensor_bytes(job, size) for job, size in sized if is_whole(job, methods)]
    largest = max(wholes, default=0)
    least = PROCESS_BYTES + worker + largest
    workers = threads + WAITING_FOR_THE_DISK
    kept = min(KEPT_BYTES, costly)
    side_by_side = sum(heapq.nlargest(threads, wholes))
    if memory is not None:
        spare = max(0, memory - least)
        kept = min(kept, spare // 4)
        spare -= kept
        workers = min(workers, 1 + (spare // 2 if wholes else spare) // worker)
        side_by_side = min(side_by_side, largest + spare - (workers - 1) * worker)
    return MemoryPlan(
        workers=workers,
        kept_inputs=kept,
        whole_tensors=side_by_side,
        peak=PROCESS_BYTES + kept + workers * worker + side_by_side,
        least=least,
    )


def is_whole(job: TensorJob, methods: Mapping[str, Method]) -> bool:
    """Whether its method must see the whole tensor."""
    return job.method is not None and methods[job.method].unit is Unit.TENSOR


def _stored_bytes(jobs: Sequence[TensorJob], specs: Specs) -> list[int]:
    return [
        sum(specs[slot.source, slot.tensor].dtype.itemsize for slot in job.inputs) for job in jobs
    ]


def _costly_bytes(jobs: Sequence[TensorJob], specs: Specs, costly: Collection[str]) -> int:
    reads = [(slot.source, slot.tensor) for job in jobs for slot in job.inputs]
    return sum(specs[key].nbytes for key in reads if key[0] in costly)


def _svd_seconds(job: TensorJob) -> float:
    """A decomposition for each model and one for all; some methods need fewer."""
    if not _is_decomposed(job):
        return 0.0
    rows, columns = job.output.shape
    return SVD_SECONDS * (len(job.models) + 1) * rows * columns * min(rows, columns)


def _is_decomposed(job: TensorJob) -> bool:
    return is_projection(job.output.name, job.output.shape, len(job.models))


def whole_tensor_bytes(job: TensorJob, stored: int) -> int:
    """A whole tensor's inputs and output as stored and in float32, and its float64 copies.

    Linear algebra needs ``4 + 8 * models`` of them at most (measured: wudi and knots with 2, 4 and
    6 models), the mean of the tasks ``2 + models``.

    Args:
        job: what is merged.
        stored: bytes of one element of all its inputs as stored.
    """
    models = len(job.models)
    copies = 4 + 8 * models if _is_decomposed(job) else 2 + models
    per_element = stored + _single_bytes(job) + job.output.dtype.itemsize + 8 * copies
    return job.output.elements * per_element


def _worker_bytes(job: TensorJob, stored: int, methods: Mapping[str, Method]) -> int:
    """What one worker holds of a tensor that is computed part by part: what it reads of each input,
    a chunk of the output, and one unit of work as float32 with the intermediate results.
    """
    if is_whole(job, methods):
        return 0
    elements = job.output.elements
    if job.method is None:
        return min(elements, CHUNK_GRAINS * GRAIN) * stored
    unit = min(elements, max((GRAIN, *job.output.shape[-1:])))
    chunk = min(elements, CHUNK_GRAINS * unit)
    return unit * (stored + _single_bytes(job)) + chunk * job.output.dtype.itemsize


def _single_bytes(job: TensorJob) -> int:
    """Of one element: its inputs in float32 with what is made of them."""
    return 4 * (len(job.inputs) + 2)
