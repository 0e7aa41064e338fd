"""What a merge costs, from the plan's jobs alone."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import GRAIN, Unit
from bot.methods.core.registry import Method
from bot.methods.operators.task_matrices import is_projection
from bot.plan.merge_plan import Budget, TensorJob

THROUGHPUT = 400e6
"""Bytes read and written per second by a two-core machine with a plain disk. Parents that are in
the page cache, beside a fast disk, are merged about ten times as fast: time is an upper figure."""
STARTUP_SECONDS = 0.5
"""Loading the interpreter, NumPy and compiled kernels."""
PROCESS_BYTES = 128 << 20
"""Anonymous memory of the process itself: interpreter, NumPy and compiled kernels."""
CORES = 2
"""Whole tensors are computed side by side, one on each."""
WORKERS = 2 * CORES
"""Threads of two cores: one for each, one that waits for each."""
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


def budget(
    jobs: Sequence[TensorJob],
    methods: Mapping[str, Method],
    specs: Specs,
    remote: Collection[str],
    costly: Collection[str],
    *,
    throughput: float = THROUGHPUT,
) -> Budget:
    """Bytes in, bytes out, bytes to fetch, peak memory and a rough time.

    Args:
        jobs: the plan's.
        methods: to know which ones must see a whole tensor at once.
        specs: (source key, tensor) -> the tensor as read.
        remote: source keys whose parents must be fetched; each tensor is counted once.
        costly: source keys whose tensors cost to be read again, so that they may be kept.
        throughput: bytes per second, reading and writing together.
    """
    reads = [(slot.source, slot.tensor) for job in jobs for slot in job.inputs]
    input_bytes = sum(specs[key].nbytes for key in reads)
    output_bytes = sum(job.output.nbytes for job in jobs)
    fetched = {key for key in reads if key[0] in remote}
    wholes = [job for job in jobs if _is_whole(job, methods)]
    side_by_side = sum(heapq.nlargest(CORES, (_whole_bytes(job, specs) for job in wholes)))
    in_parts = [_working_bytes(job, specs) for job in jobs if not _is_whole(job, methods)]
    return Budget(
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        download_bytes=sum(specs[key].nbytes for key in fetched),
        peak_memory_bytes=PROCESS_BYTES
        + min(KEPT_BYTES, sum(specs[key].nbytes for key in reads if key[0] in costly))
        + max([side_by_side, *in_parts]),
        seconds=STARTUP_SECONDS
        + (input_bytes + output_bytes) / throughput
        + sum(map(_svd_seconds, wholes)) / CORES,
    )


def _is_whole(job: TensorJob, methods: Mapping[str, Method]) -> bool:
    """Whether its method must see the whole tensor."""
    return job.method is not None and methods[job.method].unit is Unit.TENSOR


def _svd_seconds(job: TensorJob) -> float:
    """A decomposition for each model and one for all; some methods need fewer."""
    if not _is_decomposed(job):
        return 0.0
    rows, columns = job.output.shape
    return SVD_SECONDS * (len(job.models) + 1) * rows * columns * min(rows, columns)


def _is_decomposed(job: TensorJob) -> bool:
    return is_projection(job.output.name, job.output.shape, len(job.models))


def _whole_bytes(job: TensorJob, specs: Specs) -> int:
    """A whole tensor's inputs and output as stored and in float32, and its float64 copies.

    Linear algebra needs ``4 + 8 * models`` of them at most (measured: wudi and knots with 2, 4 and
    6 models), the mean of the tasks ``2 + models``.
    """
    stored, single = _element_bytes(job, specs)
    models = len(job.models)
    copies = 4 + 8 * models if _is_decomposed(job) else 2 + models
    return job.output.elements * (stored + single + job.output.dtype.itemsize + 8 * copies)


def _working_bytes(job: TensorJob, specs: Specs) -> int:
    """What workers hold of one tensor: what they read of each input, a chunk of the output, and
    one unit of work as float32 with the intermediate results.
    """
    stored, single = _element_bytes(job, specs)
    elements = job.output.elements
    if job.method is None:
        return min(elements, CHUNK_GRAINS * GRAIN) * stored * WORKERS
    unit = min(elements, max((GRAIN, *job.output.shape[-1:])))
    chunk = min(elements, CHUNK_GRAINS * unit)
    return (unit * (stored + single) + chunk * job.output.dtype.itemsize) * WORKERS


def _element_bytes(job: TensorJob, specs: Specs) -> tuple[int, int]:
    """Of one element of each input: its bytes as stored, and in float32 with what is made of it."""
    stored = sum(specs[slot.source, slot.tensor].dtype.itemsize for slot in job.inputs)
    return stored, 4 * (len(job.inputs) + 2)
