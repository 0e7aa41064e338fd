"""What a merge costs, from the plan's jobs alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.checkpoint.tensor import TensorSpec
from bot.methods.block import GRAIN, Unit
from bot.methods.registry import Method
from bot.plan.model import Budget, TensorJob

THROUGHPUT = 400e6
"""Bytes read and written per second by a two-core machine with a plain disk; a rough figure."""
PROCESS_BYTES = 160 << 20
"""Anonymous memory of the process itself: interpreter, NumPy and compiled kernels."""
WORKERS = 4


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
        + max((_working_bytes(job, methods) for job in jobs), default=0),
        seconds=(input_bytes + output_bytes) / throughput,
    )


def _working_bytes(job: TensorJob, methods: Mapping[str, Method]) -> int:
    """What is held for one tensor: each input as stored and as float32, and the result."""
    whole = job.method is not None and methods[job.method].unit is Unit.TENSOR
    width = job.output.shape[-1] if job.output.shape else 1
    piece = job.output.elements if whole else min(job.output.elements, max(GRAIN, width))
    copies = 2 * len(job.inputs) + 3
    workers = 1 if whole else WORKERS
    return piece * 4 * copies * workers
