"""The log of attempts: append-only, chained, and unknown rather than small where it is broken."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from leaderboard.attempts import BOARD_FILE, HEAD_FILE, LOG_FILE, read_attempts
from leaderboard.record import Attempts
from leaderboard.record_store import FolderStore
from tests.leaderboard.samples import record_of


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path)
    store.note_attempts("skills", ["m1", "m2", "m3"])
    store.note_attempts("other", ["m4"])
    store.add(record_of(merge_key="m1", attempts=store.attempts("skills")))
    return store


def lines(store: FolderStore) -> list[str]:
    return (store.root / LOG_FILE).read_text().splitlines()


def rewrite(store: FolderStore, found: list[str]) -> None:
    (store.root / LOG_FILE).write_text("".join(line + "\n" for line in found))


def without(number: int) -> Callable[[FolderStore], None]:
    def damage(store: FolderStore) -> None:
        found = lines(store)
        del found[number]
        rewrite(store, found)

    return damage


def edited(number: int) -> Callable[[FolderStore], None]:
    def damage(store: FolderStore) -> None:
        found = lines(store)
        found[number] = found[number].replace("m", "x")
        rewrite(store, found)

    return damage


def missing(*names: str) -> Callable[[FolderStore], None]:
    def damage(store: FolderStore) -> None:
        for name in names:
            (store.root / name).unlink()

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        without(0),
        without(1),
        without(-1),
        edited(1),
        edited(-1),
        missing(LOG_FILE),
        missing(HEAD_FILE),
        missing(LOG_FILE, HEAD_FILE),
        missing(LOG_FILE, HEAD_FILE, BOARD_FILE),
        lambda store: rewrite(store, ["no json", *lines(store)[1:]]),
        lambda store: (store.root / HEAD_FILE).write_text("[]"),
    ],
)
def test_a_broken_log_is_unknown_and_stays_so(
    store: FolderStore, damage: Callable[[FolderStore], None]
) -> None:
    assert store.attempts("skills").count == 3
    damage(store)
    assert store.attempts("skills").count is None
    (record,) = store.load().records
    assert record.attempts is not None
    assert record.attempts.count is None
    store.note_attempts("skills", ["m5", "m6"])
    store.note_attempts("fresh", ["m7"])
    assert store.attempts("skills").count is None
    assert store.attempts("fresh").count is None
    assert read_attempts(store.root).problem


def test_a_family_without_a_line_is_unknown(store: FolderStore) -> None:
    assert store.attempts("never").count is None


def test_a_line_that_a_crash_cut_short_was_no_attempt(store: FolderStore) -> None:
    with (store.root / LOG_FILE).open("a") as file:
        file.write('{"family": "skills", "mer')
    assert store.attempts("skills").count == 3
    store.note_attempts("skills", ["m8"])
    assert store.attempts("skills").count == 4


def test_a_crash_between_the_log_and_its_head_loses_nothing(store: FolderStore) -> None:
    head = (store.root / HEAD_FILE).read_bytes()
    store.note_attempts("skills", ["m8"])
    (store.root / HEAD_FILE).write_bytes(head)
    assert store.attempts("skills").count == 4
    store.note_attempts("skills", ["m9"])
    assert store.attempts("skills").count == 5


def test_each_line_holds_the_digest_of_the_line_before(store: FolderStore) -> None:
    import hashlib

    found = lines(store)
    entries = [json.loads(line) for line in found]
    assert [entry["number"] for entry in entries] == list(range(len(found)))
    for line, entry in zip(found, entries[1:], strict=False):
        assert entry["previous"] == hashlib.sha256(line.encode()).hexdigest()


def note(root: Path, number: int) -> None:
    FolderStore(root).note_attempts("skills", [f"w{number}-{i}" for i in range(5)])


def test_writers_at_once_keep_one_chain(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(note, [(tmp_path, number) for number in range(8)])
    assert FolderStore(tmp_path).attempts("skills").count == 40


def test_a_fresh_workspace_takes_its_count_from_the_results(tmp_path: Path) -> None:
    results = [
        record_of(
            f"r{i}", merge_key=f"old{i}", attempts=Attempts(family="skills", count=n, log=log)
        )
        for i, (log, n) in enumerate([("log-a", 3), ("log-a", 7), ("log-b", 2), (None, 4)])
    ]
    store = FolderStore(tmp_path)
    store.note_attempts_elsewhere(results)
    store.note_attempts_elsewhere(results)
    store.note_attempts("skills", ["new"])
    assert store.attempts("skills").count == 7 + 2 + 4 + 1
    store.add(record_of("mine", merge_key="new", attempts=store.attempts("skills")))
    mine = store.disclosed(store.get("run-mine"))
    assert mine.attempts is not None
    assert (mine.attempts.count, mine.attempts.in_log) == (14, 1)
    store.note_attempts_elsewhere([mine])
    assert store.attempts("skills").count == 14
