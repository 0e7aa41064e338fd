"""Executes a plan: statistics that span the model, then tensor after tensor, then commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from threading import Semaphore

from bot.checkpoint.digest import Sha256s, one_by_one
from bot.checkpoint.sink import Sink
from bot.checkpoint.source import Source
from bot.engine.accelerator import Accelerator
from bot.engine.buffers import FreshBuffers, Scratch, aligned, keep_freed_memory
from bot.engine.byte_progress import Progress
from bot.engine.devices import open_device
from bot.engine.engine_version import ENGINE_VERSION
from bot.engine.input_cache import InputCache
from bot.engine.kernel_choice import Kernels, load_kernels
from bot.engine.model_statistics import model_statistics
from bot.engine.output_status import OutputStatus
from bot.engine.tensor_inputs import TensorInputs
from bot.engine.tensor_work import ExecutionContext, MergedTensor, copied
from bot.engine.worker_pool import Work, run, window
from bot.errors import CheckpointError, MergebotError, NonFiniteError, StorageError
from bot.events import Report, silent
from bot.format_units import format_bytes
from bot.gc_pause import uncollected
from bot.machine_limits import default_memory, usable_cpus
from bot.methods.core.all_methods import catalogue
from bot.methods.core.reduction import Stat
from bot.plan.budget import CHUNK_GRAINS, MemoryPlan, plan_memory
from bot.plan.merge_plan import Plan, TensorJob

FUSE_FROM = 1 << 23
PAIR_FROM = 1 << 29
"""Bytes from which hashing in pairs saves more than making its code takes."""
WAITING_FOR_THE_INTERPRETER = 1
"""Of those that compute: between two kernels a thread may have to wait for another one's Python."""


def execute(
    plan: Plan,
    sources: Mapping[str, Source],
    sink: Sink,
    *,
    device: str | Accelerator = "cpu",
    threads: int | None = None,
    memory: int | None = None,
    report: Report = silent,
    chunk_grains: int = CHUNK_GRAINS,
    fuse_from: int = FUSE_FROM,
    pair_from: int = PAIR_FROM,
    kernels: Callable[[], Kernels] = load_kernels,
) -> str:
    """Make the model that ``plan`` describes.

    The result does not depend on the last seven arguments, nor, for methods that are exact on any
    host, on the device.

    Args:
        plan: what to make.
        sources: the keys that the plan's slots use -> readable checkpoints.
        sink: where it goes; what it finished for the same plan before is not made again.
        device: "cpu", "cuda", "cuda:1", or a device that is open.
        threads: how many compute at once (and one more, if several); None means one per processor
            that this process may use.
        memory: bytes of anonymous memory the process may use; None means ``default_memory()``.
        report: receives the number of bytes that are done.
        chunk_grains: grains that are read and written at once.
        fuse_from: models of so many elements use compiled kernels, which take time to load.
        pair_from: so many bytes are hashed two blocks at a time, with code that is made first.
        kernels: loads the compiled kernels.

    Returns:
        The digest of the model.

    Raises:
        CheckpointError: a parent's file is cut or not what the plan says.
        NonFiniteError: a NaN or an infinity in a parent or the result.
        StorageError: the disk refused, or the merge needs more than ``memory``.
        InterruptedRunError: stopped by the user; the same call continues.
    """
    output = MergeOutput(plan=plan, sources=sources, sink=sink)
    (made,) = execute_all(
        [output],
        device=device,
        threads=threads,
        memory=memory,
        report=report,
        chunk_grains=chunk_grains,
        fuse_from=fuse_from,
        pair_from=pair_from,
        kernels=kernels,
    )
    return finite(made)


MergeOutcome = str | NonFiniteError
"""The digest of a model, or why it is none."""


def finite(made: MergeOutcome) -> str:
    """The digest of a model that must have been made.

    Raises:
        NonFiniteError: it was not.
    """
    if isinstance(made, NonFiniteError):
        raise made
    return made


@dataclass(frozen=True, kw_only=True)
class MergeOutput:
    """One model to make: its plan, the sources its slots use, and where it goes."""

    plan: Plan
    sources: Mapping[str, Source]
    sink: Sink


def execute_all(
    outputs: Sequence[MergeOutput],
    *,
    device: str | Accelerator = "cpu",
    threads: int | None = None,
    memory: int | None = None,
    report: Report = silent,
    chunk_grains: int = CHUNK_GRAINS,
    fuse_from: int = FUSE_FROM,
    pair_from: int = PAIR_FROM,
    kernels: Callable[[], Kernels] = load_kernels,
) -> tuple[MergeOutcome, ...]:
    """Make several models of the same parents, tensor by tensor, as ``execute`` makes one.

    The outputs take turns at every tensor, so a parent's bytes are still in memory when the next
    output needs them, and a sweep reads its parents from the disk once.

    An output whose merge is not finite is given up, and the others go on: its parents are finite,
    so nothing is wrong with theirs.

    Returns:
        For each output the digest of the model, or why it was given up.

    Raises:
        MergebotError: as ``execute``; what is finished is kept in every sink.
    """
    keep_freed_memory()
    helper = open_device(device) if isinstance(device, str) else device
    processors = threads or usable_cpus()
    allotted = _allot_memory(outputs, processors, memory, on_device=helper is not None)
    progress = Progress([job for output in outputs for job in output.plan.jobs], report)
    try:
        todo = [_unfinished(output) for output in outputs]
        left = [job for jobs in todo for job in jobs]
        progress.start(left)
        context = partial(
            ExecutionContext,
            chunk_grains=chunk_grains,
            done=progress.advance,
            scratch=Scratch(helper.buffer if helper else aligned),
            input_cache=InputCache(0 if helper else allotted.kept_inputs),
            kernels=kernels() if _elements(left) >= fuse_from else None,
            sha256s=_hashing(sum(job.output.nbytes for job in left) >= pair_from),
            processors=Semaphore(_turns(processors)),
            accelerator=helper,
        )
        contexts = [context(sources=output.sources, sink=output.sink) for output in outputs]
        statuses = [OutputStatus() for _ in outputs]
        with uncollected():
            _merge(outputs, todo, contexts, statuses, allotted)
        made = tuple(_end(output, status) for output, status in zip(outputs, statuses, strict=True))
    except BaseException as error:
        for output in outputs:
            with suppress(MergebotError):
                output.sink.abort()
        if isinstance(error, KeyboardInterrupt):
            raise progress.interrupted() from error
        raise
    progress.end()
    return made


def _turns(threads: int) -> int:
    return threads + (WAITING_FOR_THE_INTERPRETER if threads > 1 else 0)


def _allot_memory(
    outputs: Sequence[MergeOutput], threads: int, memory: int | None, *, on_device: bool
) -> MemoryPlan:
    """How the outputs share the memory that may be used; a device has its own limits.

    Raises:
        StorageError: one worker, or one tensor that must be computed whole, needs more.
    """
    jobs = [(job, output.sources) for output in outputs for job in output.plan.jobs]
    inputs = [TensorInputs(job, sources, FreshBuffers()) for job, sources in jobs]
    stored = [_stored_bytes(tensor) for tensor in inputs]
    limit = default_memory() if memory is None else memory
    allotted = plan_memory(
        [job for job, _ in jobs],
        catalogue(),
        stored,
        sum(tensor.nbytes for tensor in inputs if tensor.costly),
        threads=threads,
        memory=None if on_device else limit,
    )
    if not on_device and allotted.least > limit:
        least = format_bytes(allotted.least)
        raise StorageError(
            f"this merge needs about {least} of memory and may use {format_bytes(limit)}",
            hint=f"free memory or raise --memory to {allotted.least // 10**6 + 1}MB; methods that "
            "decompose whole matrices need a multiple of the largest one, other methods do not",
        )
    return allotted


def _stored_bytes(inputs: TensorInputs) -> int:
    """Bytes of one element of all inputs; an error carries the name of the tensor."""
    try:
        return inputs.width
    except CheckpointError as error:
        error.add_note(f"while working on tensor {inputs.job.output.name!r}")
        raise


def _end(output: MergeOutput, status: OutputStatus) -> MergeOutcome:
    """Give a whole model its final name; of one that was given up keep what is finished."""
    if status.error is None:
        return output.sink.commit(output.plan.files)
    output.sink.abort()
    return status.error


def _elements(jobs: Sequence[TensorJob]) -> int:
    return sum(job.output.elements for job in jobs)


def _hashing(paired: bool) -> Sha256s:
    if not paired:
        return one_by_one
    from bot.engine.kernels.sha256_pairs import sha256s

    return sha256s()


def _unfinished(output: MergeOutput) -> list[TensorJob]:
    """What an earlier attempt left to be done; tensors of another engine would be other ones."""
    identity = f"{output.plan.digest} by engine {ENGINE_VERSION}"
    finished = output.sink.begin(output.plan.layout, identity)
    return [job for job in output.plan.jobs if job.output.name not in finished]


def _merge(
    outputs: Sequence[MergeOutput],
    todo: Sequence[Sequence[TensorJob]],
    contexts: Sequence[ExecutionContext],
    statuses: Sequence[OutputStatus],
    allotted: MemoryPlan,
) -> None:
    merged = [
        [
            MergedTensor(job, context, context.inputs(job))
            for job in output.plan.jobs
            if left and job.method
        ]
        for output, left, context in zip(outputs, todo, contexts, strict=True)
    ]
    workers = allotted.workers
    known = model_statistics(merged, workers)
    works = (
        _work(job, context, answers.get(job.output.name, {}), status)
        for turn in zip_longest(*todo)
        for job, context, answers, status in zip(turn, contexts, known, statuses, strict=True)
        if job is not None and status.error is None
    )
    run(works, workers=workers, window=window(workers), memory=allotted.whole_tensors)


def _work(
    job: TensorJob, context: ExecutionContext, known: Mapping[str, Stat], status: OutputStatus
) -> Work:
    copy = job.method is None
    batches = (
        copied(job, context)
        if copy
        else MergedTensor(job, context, context.inputs(job), known).batches()
    )
    return Work(f"tensor {job.output.name!r}", status.sharing(batches))
