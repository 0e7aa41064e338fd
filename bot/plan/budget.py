"""What a merge costs, from the plan's jobs alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.checkpoint.tensor import TensorSpec
from bot.methods.block import GRAIN, Unit
from bot.methods.registry import Method
from bot.plan.model import Budget, TensorJob

THROUGHPUT = 400e6
"""Bytes read and written per second by a two-core machine with a plain disk; a rough figure."""
STARTUP_SECONDS = 0.5
"""Loading the interpreter, NumPy and compiled kernels."""
PROCESS_BYTES = 128 << 20
"""Anonymous memory of the process itself: interpreter, NumPy and compiled kernels."""
WORKERS = 4
"""Threads of two cores: one for each, one that waits for each."""
CHUNK_GRAINS = 4
"""Grains that are written together; a copy also reads them together, a merge one by one."""

KEPT_BYTES = 160 << 20
"""Inputs that cost to be read are kept between the passes of a method, in no more than that."""


def budget(
    jobs: Sequence[TensorJob],
    methods: Mapping[str, Method],
    specs: Mapping[tuple[str, str], TensorSpec],
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
    return Budget(
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        download_bytes=sum(specs[key].nbytes for key in fetched),
        peak_memory_bytes=PROCESS_BYTES
        + min(KEPT_BYTES, sum(specs[key].nbytes for key in reads if key[0] in costly))
        + max((_working_bytes(job, methods, specs) for job in jobs), default=0),
        seconds=STARTUP_SECONDS + (input_bytes + output_bytes) / throughput,
    )


def _working_bytes(
    job: TensorJob, methods: Mapping[str, Method], specs: Mapping[tuple[str, str], TensorSpec]
) -> int:
    """What workers hold of one tensor: what they read of each input, a chunk of the output, and
    one unit of work as float32 with the intermediate results.
    """
    stored = sum(specs[slot.source, slot.tensor].dtype.itemsize for slot in job.inputs)
    elements, merged = job.output.elements, job.output.dtype.itemsize
    if job.method is None:
        return min(elements, CHUNK_GRAINS * GRAIN) * stored * WORKERS
    single = 4 * (len(job.inputs) + 2)
    if methods[job.method].unit is Unit.TENSOR:
        return elements * (stored + merged + single)
    unit = min(elements, max((GRAIN, *job.output.shape[-1:])))
    chunk = min(elements, CHUNK_GRAINS * unit)
    return (unit * (stored + single) + chunk * merged) * WORKERS
