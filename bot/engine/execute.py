"""Executes a plan: statistics that span the model, then tensor after tensor, then commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from threading import Semaphore

from bot.checkpoint.digest import Sha256s, one_by_one
from bot.checkpoint.sink import Sink
from bot.checkpoint.source import Source
from bot.engine.buffers import Scratch, aligned, keep_freed_memory
from bot.engine.byte_progress import Progress
from bot.engine.devices import Accelerator, accelerator, default_threads
from bot.engine.engine_version import ENGINE_VERSION
from bot.engine.input_cache import InputCache
from bot.engine.model_statistics import model_statistics
from bot.engine.output_status import OutputStatus
from bot.engine.tensor_work import ExecutionContext, Merged, copied
from bot.engine.worker_pool import Work, run, window
from bot.errors import MergebotError, NonFiniteError
from bot.events import Report, silent
from bot.gc_pause import uncollected
from bot.methods.core.reduction import Stat
from bot.plan.budget import CHUNK_GRAINS, KEPT_BYTES
from bot.plan.merge_plan import Plan, TensorJob

FUSE_FROM = 1 << 23
PAIR_FROM = 1 << 29
"""Bytes from which hashing in pairs saves more than making its code takes."""
WAITING_FOR_THE_DISK = 2
"""Workers beyond those that compute, so that reads and writes overlap with arithmetic."""
WAITING_FOR_THE_INTERPRETER = 1
"""Of those that compute: between two kernels a thread may have to wait for another one's Python."""


def execute(
    plan: Plan,
    sources: Mapping[str, Source],
    sink: Sink,
    *,
    device: str | Accelerator = "cpu",
    threads: int | None = None,
    report: Report = silent,
    chunk_grains: int = CHUNK_GRAINS,
    fuse_from: int = FUSE_FROM,
    pair_from: int = PAIR_FROM,
) -> str:
    """Make the model that ``plan`` describes.

    The result does not depend on the last five arguments, nor, for methods that are exact on any
    host, on the device.

    Args:
        plan: what to make.
        sources: the keys that the plan's slots use -> readable checkpoints.
        sink: where it goes; what it finished for the same plan before is not made again.
        device: "cpu", "cuda", "cuda:1", or a device that is open.
        threads: how many compute at once (and one more, if several); None means one per processor.
        report: told the bytes that are done.
        chunk_grains: grains that are read and written at once.
        fuse_from: models of so many elements use compiled kernels, which take time to load.
        pair_from: so many bytes are hashed two blocks at a time, with code that is made first.

    Returns:
        The digest of the model.

    Raises:
        CheckpointError: a parent's file is cut or not what the plan says.
        NonFiniteError: a NaN or an infinity in a parent or the result.
        StorageError: the disk refused.
        InterruptedRunError: stopped by the user; the same call continues.
    """
    output = Output(plan=plan, sources=sources, sink=sink)
    (made,) = execute_all(
        [output],
        device=device,
        threads=threads,
        report=report,
        chunk_grains=chunk_grains,
        fuse_from=fuse_from,
        pair_from=pair_from,
    )
    return finite(made)


Made = str | NonFiniteError
"""The digest of a model, or why it is none."""


def finite(made: Made) -> str:
    """The digest of a model that must have been made.

    Raises:
        NonFiniteError: it was not.
    """
    if isinstance(made, NonFiniteError):
        raise made
    return made


@dataclass(frozen=True, kw_only=True)
class Output:
    """One model to make: its plan, the sources its slots use, and where it goes."""

    plan: Plan
    sources: Mapping[str, Source]
    sink: Sink


def execute_all(
    outputs: Sequence[Output],
    *,
    device: str | Accelerator = "cpu",
    threads: int | None = None,
    report: Report = silent,
    chunk_grains: int = CHUNK_GRAINS,
    fuse_from: int = FUSE_FROM,
    pair_from: int = PAIR_FROM,
) -> tuple[Made, ...]:
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
    helper = accelerator(device) if isinstance(device, str) else device
    processors = threads or default_threads()
    progress = Progress([job for output in outputs for job in output.plan.jobs], report)
    try:
        todo = [_unfinished(output) for output in outputs]
        left = [job for jobs in todo for job in jobs]
        progress.start(left)
        turns = processors + (WAITING_FOR_THE_INTERPRETER if processors > 1 else 0)
        shop = partial(
            ExecutionContext,
            chunk_grains=chunk_grains,
            done=progress.advance,
            scratch=Scratch(helper.buffer if helper else aligned),
            shelf=InputCache(0 if helper else KEPT_BYTES),
            fused=sum(job.output.elements for job in left) >= fuse_from,
            sha256s=_hashing(sum(job.output.nbytes for job in left) >= pair_from),
            processors=Semaphore(turns),
            accelerator=helper,
        )
        shops = [shop(sources=output.sources, sink=output.sink) for output in outputs]
        fates = [OutputStatus() for _ in outputs]
        with uncollected():
            _merge(outputs, todo, shops, fates, processors + WAITING_FOR_THE_DISK)
        made = tuple(_end(output, fate) for output, fate in zip(outputs, fates, strict=True))
    except BaseException as error:
        for output in outputs:
            with suppress(MergebotError):
                output.sink.abort()
        if isinstance(error, KeyboardInterrupt):
            raise progress.interrupted() from error
        raise
    progress.end()
    return made


def _end(output: Output, fate: OutputStatus) -> Made:
    """Give a whole model its final name; of one that was given up keep what is finished."""
    if fate.error is None:
        return output.sink.commit(output.plan.files)
    output.sink.abort()
    return fate.error


def _hashing(paired: bool) -> Sha256s:
    if not paired:
        return one_by_one
    from bot.engine.kernels.sha256_pairs import sha256s

    return sha256s()


def _unfinished(output: Output) -> list[TensorJob]:
    """What an earlier attempt left to be done; tensors of another engine would be other ones."""
    identity = f"{output.plan.digest} by engine {ENGINE_VERSION}"
    finished = output.sink.begin(output.plan.layout, identity)
    return [job for job in output.plan.jobs if job.output.name not in finished]


def _merge(
    outputs: Sequence[Output],
    todo: Sequence[Sequence[TensorJob]],
    shops: Sequence[ExecutionContext],
    fates: Sequence[OutputStatus],
    workers: int,
) -> None:
    merged = [
        [Merged(job, shop, shop.inputs(job)) for job in output.plan.jobs if left and job.method]
        for output, left, shop in zip(outputs, todo, shops, strict=True)
    ]
    known = model_statistics(merged, workers)
    works = (
        _work(job, shop, answers.get(job.output.name, {}), fate)
        for turn in zip_longest(*todo)
        for job, shop, answers, fate in zip(turn, shops, known, fates, strict=True)
        if job is not None and fate.error is None
    )
    run(works, workers=workers, window=window(workers))


def _work(
    job: TensorJob, shop: ExecutionContext, known: Mapping[str, Stat], fate: OutputStatus
) -> Work:
    copy = job.method is None
    waves = copied(job, shop) if copy else Merged(job, shop, shop.inputs(job), known).waves()
    return Work(f"tensor {job.output.name!r}", fate.sharing(waves))
