"""Many tensors at once on a few threads, in an order that keeps memory bounded.

A piece of work is a generator of batches. The tasks of a batch run on any thread in any order;
their results are folded in the order of the tasks, in the thread that called ``run``. When all of
them are folded the generator goes on to its next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NamedTuple

Task = Callable[[], Any]


class TensorBatch(NamedTuple):
    """Tasks that do not depend on each other, and what to do with their results, in order.

    ``nbytes`` is the memory that each task needs beside the buffers that every worker has.
    """

    tasks: Iterable[Task]
    fold: Callable[[Any], None]
    nbytes: int = 0


class Work(NamedTuple):
    """A named sequence of batches; the name is noted on errors."""

    name: str
    batches: Iterator[TensorBatch]


class _Start(NamedTuple):
    """A task that may start: of which work, its place among that work's tasks, its memory."""

    running: _Running
    number: int
    task: Task
    nbytes: int


class _Outcome(NamedTuple):
    start: _Start
    result: Any
    error: BaseException | None


class _Running:
    """A piece of work under way."""

    def __init__(self, work: Work) -> None:
        self.name = work.name
        self.finished = False
        self._batches = work.batches
        self._tasks: Iterator[Task] = iter(())
        self._next: Task | None = None
        self._nbytes = 0
        self._fold: Callable[[Any], None] = _ignore
        self._submitted = 0
        self._folded = 0
        self._results: dict[int, Any] = {}

    def next_task(self, memory: int | None) -> _Start | None:
        """A task that may start now, or None.

        None means that results are awaited, that nothing is left, or that the next task needs more
        than ``memory`` bytes, in which case ``short_of_memory`` is true.
        """
        while not self.finished:
            if self._next is None:
                self._next = next(self._tasks, None)
            if self._next is not None:
                return self._start(self._next, memory)
            if self._folded < self._submitted:
                return None
            self._next_batch()
        return None

    @property
    def short_of_memory(self) -> bool:
        """Whether a task is ready that was not started."""
        return self._next is not None

    def _start(self, task: Task, memory: int | None) -> _Start | None:
        if memory is not None and self._nbytes > memory:
            return None
        self._next = None
        self._submitted += 1
        return _Start(self, self._submitted - 1, task, self._nbytes)

    def deliver(self, number: int, result: Any) -> int:
        """Take a result; fold what is now in order; returns how many were folded."""
        self._results[number] = result
        before = self._folded
        while self._folded in self._results:
            self._fold(self._results.pop(self._folded))
            self._folded += 1
        return self._folded - before

    def _next_batch(self) -> None:
        batch = next(self._batches, None)
        self.finished = batch is None
        if batch is not None:
            self._tasks, self._fold, self._nbytes = iter(batch.tasks), batch.fold, batch.nbytes


def window(workers: int) -> int:
    """How many tasks may be open: enough that no worker waits while results are folded."""
    return workers + workers // 2 + 1


def run(works: Iterable[Work], *, workers: int, window: int, memory: int = 0) -> None:
    """Do all the work, oldest first.

    A task that needs memory of its own starts when that fits into ``memory`` beside what such tasks
    under way need, or when there are none; until then no later task starts either.

    Args:
        works: pulled one by one as there is room.
        workers: threads.
        window: most tasks whose results are not folded yet: what bounds memory.
        memory: bytes for tasks that need memory of their own.

    Raises:
        BaseException: the first error of any task, with a note naming its work; tasks that have
            not begun are dropped, those running are awaited.
    """
    waiting = iter(works)
    active: list[_Running] = []
    outcomes: SimpleQueue[_Outcome] = SimpleQueue()
    open_tasks = in_use = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="merge") as executor:
        try:
            while True:
                while open_tasks < window:
                    start = _next_task(active, waiting, memory - in_use if in_use else None)
                    if start is None:
                        break
                    executor.submit(_perform, start, outcomes)
                    open_tasks += 1
                    in_use += start.nbytes
                if not open_tasks:
                    return
                outcome = outcomes.get()
                in_use -= outcome.start.nbytes
                open_tasks -= _settle(outcome)
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _next_task(
    active: list[_Running], waiting: Iterator[Work], memory: int | None
) -> _Start | None:
    while True:
        for running in active:
            with _noting(running.name):
                found = running.next_task(memory)
            if found or running.short_of_memory:
                return found
        active[:] = [running for running in active if not running.finished]
        work = next(waiting, None)
        if work is None:
            return None
        active.append(_Running(work))


def _settle(outcome: _Outcome) -> int:
    running = outcome.start.running
    with _noting(running.name):
        if outcome.error is not None:
            raise outcome.error
        return running.deliver(outcome.start.number, outcome.result)


def _perform(start: _Start, outcomes: SimpleQueue[_Outcome]) -> None:
    try:
        outcomes.put(_Outcome(start, start.task(), None))
    except BaseException as error:  # noqa: BLE001 - handed to the thread that called run
        outcomes.put(_Outcome(start, None, error))


class _noting:  # noqa: N801 - used like a function in a with statement
    """Adds a note with the name of the work to an error."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            error.add_note(f"while working on {self._name}")


def _ignore(result: Any) -> None:
    del result
