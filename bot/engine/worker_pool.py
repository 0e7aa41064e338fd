"""Many tensors at once on a few threads, in an order that keeps memory bounded.

A piece of work is a generator of waves. The tasks of a wave run on any thread in any order; their
results are folded in the order of the tasks, in the thread that called ``run``. When all of them
are folded the generator goes on to its next wave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NamedTuple

Task = Callable[[], Any]


class TensorBatch(NamedTuple):
    """Tasks that do not depend on each other, and what to do with their results, in order."""

    tasks: Iterable[Task]
    fold: Callable[[Any], None]


class Work(NamedTuple):
    """A named sequence of waves; the name is noted on errors."""

    name: str
    waves: Iterator[TensorBatch]


class _Outcome(NamedTuple):
    running: _Running
    number: int
    result: Any
    error: BaseException | None


class _Running:
    """A piece of work under way."""

    def __init__(self, work: Work) -> None:
        self.name = work.name
        self.finished = False
        self._waves = work.waves
        self._tasks: Iterator[Task] = iter(())
        self._fold: Callable[[Any], None] = _ignore
        self._submitted = 0
        self._folded = 0
        self._results: dict[int, Any] = {}

    def next_task(self) -> tuple[int, Task] | None:
        """A task that may start now, or None while results are awaited or nothing is left."""
        while not self.finished:
            task = next(self._tasks, None)
            if task is not None:
                self._submitted += 1
                return self._submitted - 1, task
            if self._folded < self._submitted:
                return None
            self._next_wave()
        return None

    def deliver(self, number: int, result: Any) -> int:
        """Take a result; fold what is now in order; returns how many were folded."""
        self._results[number] = result
        before = self._folded
        while self._folded in self._results:
            self._fold(self._results.pop(self._folded))
            self._folded += 1
        return self._folded - before

    def _next_wave(self) -> None:
        wave = next(self._waves, None)
        self.finished = wave is None
        if wave is not None:
            self._tasks, self._fold = iter(wave.tasks), wave.fold


def window(workers: int) -> int:
    """How many tasks may be open: enough that no worker waits while results are folded."""
    return workers + workers // 2 + 1


def run(works: Iterable[Work], *, workers: int, window: int) -> None:
    """Do all the work, oldest first.

    Args:
        works: pulled one by one as there is room.
        workers: threads.
        window: most tasks whose results are not folded yet: what bounds memory.

    Raises:
        BaseException: the first error of any task, with a note naming its work; tasks that have
            not begun are dropped, those running are awaited.
    """
    waiting = iter(works)
    active: list[_Running] = []
    outcomes: SimpleQueue[_Outcome] = SimpleQueue()
    open_tasks = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="merge") as executor:
        try:
            while True:
                while open_tasks < window and (task := _next_task(active, waiting)):
                    executor.submit(_perform, *task, outcomes)
                    open_tasks += 1
                if not open_tasks:
                    return
                open_tasks -= _settle(outcomes.get())
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _next_task(
    active: list[_Running], waiting: Iterator[Work]
) -> tuple[_Running, int, Task] | None:
    while True:
        for running in active:
            with _noting(running.name):
                found = running.next_task()
            if found:
                return running, *found
        active[:] = [running for running in active if not running.finished]
        work = next(waiting, None)
        if work is None:
            return None
        active.append(_Running(work))


def _settle(outcome: _Outcome) -> int:
    with _noting(outcome.running.name):
        if outcome.error is not None:
            raise outcome.error
        return outcome.running.deliver(outcome.number, outcome.result)


def _perform(running: _Running, number: int, task: Task, outcomes: SimpleQueue[_Outcome]) -> None:
    try:
        outcomes.put(_Outcome(running, number, task(), None))
    except BaseException as error:  # noqa: BLE001 - handed to the thread that called run
        outcomes.put(_Outcome(running, number, None, error))


class _noting:  # noqa: N801 - reads as a word in a with statement
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            error.add_note(f"while working on {self._name}")


def _ignore(result: Any) -> None:
    del result
