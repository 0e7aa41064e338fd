"""The pool: results in order, a bounded number of open tasks, the first error wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from bot.engine.worker_pool import TensorBatch, Work, run


def test_results_are_folded_in_order_and_waves_wait_for_each_other() -> None:
    log: list[tuple[str, int]] = []

    def work(name: str, counts: list[int]) -> Iterator[TensorBatch]:
        for batch, count in enumerate(counts):
            folded: list[int] = []
            tasks = (partial(slowly, number, count) for number in range(count))
            yield TensorBatch(tasks, folded.append)
            assert folded == list(range(count))
            log.append((name, batch))

    def slowly(number: int, count: int) -> int:
        time.sleep(0.002 * (count - number))
        return number

    run([Work(name, work(name, [5, 0, 3])) for name in "ab"], workers=3, window=6)
    assert [batch for name, batch in log if name == "a"] == [0, 1, 2]
    assert [batch for name, batch in log if name == "b"] == [0, 1, 2]


def test_no_more_tasks_are_open_than_the_window_holds() -> None:
    begun: list[int] = []
    folded: list[int] = []
    most = []

    def tasks() -> Iterator[partial[int]]:
        for number in range(50):
            most.append(number - len(folded))
            yield partial(task, number)

    def task(number: int) -> int:
        begun.append(number)
        time.sleep(0.02 if number == 0 else 0.0)
        return number

    run([Work("x", iter([TensorBatch(tasks(), folded.append)]))], workers=4, window=6)
    assert folded == list(range(50))
    assert max(most) <= 6


def test_the_first_error_wins_and_names_its_work() -> None:
    failed = threading.Event()
    started: list[int] = []

    def task(number: int) -> None:
        started.append(number)
        if number == 3:
            failed.set()
            raise ValueError("broken")
        if number > 3:
            failed.wait(300)

    works = [
        Work(f"tensor {n}", iter([TensorBatch([partial(task, n)], lambda _: None)]))
        for n in range(500)
    ]
    with pytest.raises(ValueError, match="broken") as caught:
        run(works, workers=2, window=4)
    assert caught.value.__notes__ == ["while working on tensor 3"]
    assert len(started) < 20


def test_an_error_while_folding_names_its_work_too() -> None:
    def refuse(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        run([Work("x", iter([TensorBatch([lambda: 1], refuse)]))], workers=1, window=1)
    assert caught.value.__notes__ == ["while working on x"]


def test_tasks_that_need_memory_start_only_where_it_is_left() -> None:
    """Sizes 3, 3, 5, 9, 1 in a memory of 8: never more than that in use but for the 9, alone."""
    lock, both = threading.Lock(), threading.Barrier(2, timeout=30)
    in_use: list[int] = []
    most: list[tuple[int, ...]] = []
    sizes = [3, 3, 5, 9, 1]

    def task(size: int) -> int:
        with lock:
            in_use.append(size)
            most.append(tuple(in_use))
        if size == 3:
            both.wait()
        with lock:
            in_use.remove(size)
        return size

    done: list[int] = []
    works = [
        Work(str(size), iter([TensorBatch([partial(task, size)], done.append, size)]))
        for size in sizes
    ]
    run(works, workers=5, window=20, memory=8)
    assert sorted(done) == sorted(sizes)
    assert all(sum(together) <= 8 for together in most if 9 not in together)
    assert [together for together in most if 9 in together] == [(9,)]
    assert (3, 3) in most


def test_tasks_without_memory_of_their_own_wait_for_none() -> None:
    begun = threading.Barrier(3, timeout=30)
    works = [Work("x", iter([TensorBatch([begun.wait], lambda _: None)])) for _ in range(3)]
    run(works, workers=3, window=3, memory=0)
    assert begun.n_waiting == 0
