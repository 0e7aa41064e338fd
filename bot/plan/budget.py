"""What a merge costs, from the plan's jobs alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.checkpoint.tensor import TensorSpec
from bot.methods.block import GRAIN, Unit
from bot.methods.registry import Method
from bot.plan.model import Budget, TensorJob

THROUGHPUT = 400e6
"""Bytes read and written per second by a two-core machine with a plain disk; a rough figure."""
STARTUP_SECONDS = 2.0
"""Loading the interpreter, NumPy and compiled kernels."""
PROCESS_BYTES = 128 << 20
"""Anonymous memory of the process itself: interpreter, NumPy and compiled kernels."""
WORKERS = 4
"""Threads assumed to work at once."""
CHUNK_GRAINS = 4
"""Grains that are written together."""

KEPT_BYTES = 160 << 20
"""Inputs that cost to be read are kept between the passes of a method, in no more than that."""


def budget(
    jobs: Sequence[TensorJob],
    methods: Mapping[str, Method],
    specs: Mapping[tuple[str, str], TensorSpec],
    remote: Collection[str],
    *,
    throughput: float = THROUGHPUT,
) -> Budget:
    """Bytes in, bytes out, bytes to fetch, peak memory and a rough time.

    Args:
        jobs: the plan's.
        methods: to know which ones must see a whole tensor at once.
        specs: (source key, tensor) -> the tensor as read.
        remote: source keys whose parents must be fetched; each tensor is counted once.
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
        + _kept_bytes(jobs, specs)
        + max((_working_bytes(job, methods) for job in jobs), default=0),
        seconds=STARTUP_SECONDS + (input_bytes + output_bytes) / throughput,
    )


def _working_bytes(job: TensorJob, methods: Mapping[str, Method]) -> int:
    """What workers hold of one tensor: a chunk of each input and the output as stored, and one
    unit of work of them as float32 with the intermediate results.
    """
    elements, inputs = job.output.elements, len(job.inputs)
    whole = job.method is not None and methods[job.method].unit is Unit.TENSOR
    unit = elements if whole else min(elements, max((GRAIN, *job.output.shape[-1:])))
    chunk = elements if whole else min(elements, CHUNK_GRAINS * unit)
    stored = chunk * job.output.dtype.itemsize * (inputs + 1)
    return (stored + unit * 4 * (inputs + 2)) * (1 if whole else WORKERS)


def _kept_bytes(jobs: Sequence[TensorJob], specs: Mapping[tuple[str, str], TensorSpec]) -> int:
    """The most that inputs kept for a second pass can take; whether there is one is not asked."""
    merged = (job for job in jobs if job.method is not None)
    sizes = (sum(specs[slot.source, slot.tensor].nbytes for slot in job.inputs) for job in merged)
    return min(KEPT_BYTES, sum(sizes))
