from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from leaderboard.board_errors import RecordError
from leaderboard.record_provenance import Attempts, Publication, Retraction, Sweep
from leaderboard.record_store import FolderStore
from tests.leaderboard.samples import failed_record, record_of
from tests.present import present

RETRACTION = Retraction(
    run_key="run-steady", reason="wrong parent", by="operator", created="2026-11-23T08:00:00Z"
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "board")


def test_records_come_back_as_they_went(store: FolderStore) -> None:
    path = store.add(record_of())
    store.add(failed_record())
    assert path == store.root / "records" / "run-steady.json"
    assert store.load().records == (failed_record(), record_of())
    assert store.get("run-steady") == record_of()


def test_an_empty_board_is_no_error(store: FolderStore) -> None:
    assert store.load().records == ()
    assert store.load().problems == ()


def test_writing_twice_is_a_no_op_and_changing_is_refused(store: FolderStore) -> None:
    path = store.add(record_of())
    before = path.stat().st_mtime_ns
    store.add(record_of())
    assert path.stat().st_mtime_ns == before
    with pytest.raises(RecordError, match="never changed"):
        store.add(record_of(title="nicer"))
    assert store.get("run-steady") == record_of()
    assert [found.name for found in store.records.iterdir()] == ["run-steady.json"]


def test_a_later_publication_is_joined_and_changes_no_record(store: FolderStore) -> None:
    path = store.add(record_of(publication=None))
    before = path.read_bytes()
    page = Publication(repo="org/steady", commit="3f2a91c", url="https://x/org/steady")
    store.publish("run-steady", page)
    store.publish("run-steady", page)
    assert path.read_bytes() == before
    assert store.get("run-steady").publication == page
    assert store.load().records[0].publication == page
    with pytest.raises(RecordError, match="no run"):
        store.publish("run-nothing", page)
    (store.publications / "run-steady.json").write_text("{}")
    assert store.load().records[0].publication is None
    assert "not a publication" in store.load().problems[0].message


def test_retractions_are_joined_and_change_no_record(store: FolderStore) -> None:
    path = store.add(record_of())
    before = path.read_bytes()
    store.retract(RETRACTION)
    store.retract(RETRACTION)
    assert path.read_bytes() == before
    assert store.load().records[0].retraction == RETRACTION
    assert store.get("run-steady").retraction == RETRACTION
    with pytest.raises(RecordError, match="no run run-other"):
        store.retract(RETRACTION.model_copy(update={"run_key": "run-other"}))
    with pytest.raises(RecordError, match="carries a retraction"):
        store.add(store.get("run-steady"))


def test_one_broken_file_hides_no_other(store: FolderStore) -> None:
    store.add(record_of())
    (store.records / "bad.json").write_text("{")
    (store.records / "renamed.json").write_text((store.records / "run-steady.json").read_text())
    store.retract(RETRACTION)
    (store.retractions / "x.json").write_text("{}")
    loaded = store.load()
    assert [record.name for record in loaded.records] == ["steady"]
    told = "\n".join(problem.message for problem in loaded.problems)
    for part in ("bad.json is not JSON", "renamed.json holds run run-steady", "not a retraction"):
        assert part in told


def test_an_unknown_run_is_refused_even_with_a_path_for_a_key(store: FolderStore) -> None:
    store.add(record_of())
    with pytest.raises(RecordError, match="there is no run"):
        store.get("../records/run-steady")


def add_to(root: Path, title: str) -> bool:
    try:
        FolderStore(root).add(record_of(title=title))
    except RecordError:
        return False
    return True


def test_of_two_writers_at_once_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(4) as pool:
        done = pool.starmap(add_to, [(tmp_path, f"title {i}") for i in range(4)])
    assert sum(done) == 1
    assert len(FolderStore(tmp_path).load().records) == 1
    assert not list(tmp_path.rglob("*.tmp"))


def told(store: FolderStore) -> dict[str, int | None]:
    return {one.name: one.attempts.count for one in store.load().records if one.attempts}


def test_attempts_are_counted_by_merge_and_known_by_all_records_of_the_family(
    store: FolderStore,
) -> None:
    store.note_attempts("skills", ["m1", "m2"])
    store.note_attempts("skills", ["m2", "m3"])
    store.note_attempts("other", ["m4"])
    assert store.attempts("skills").count == 3
    path = store.add(record_of(merge_key="m1", attempts=Attempts(family="skills")))
    before = path.read_bytes()
    found = store.get("run-steady").attempts
    assert found is not None
    assert found == Attempts(family="skills", count=3)
    public = store.disclosed(store.get("run-steady")).attempts
    assert public is not None
    assert public.log is not None
    assert public == Attempts(family="skills", count=3, log=public.log, in_log=3)
    store.note_attempts("skills", ["m1", "m5"])
    assert told(store) == {"steady": 4}
    assert path.read_bytes() == before


def test_a_record_from_elsewhere_counts_what_was_tried_there(store: FolderStore) -> None:
    store.add(record_of(merge_key="m0", attempts=Attempts(family="skills", count=6)))
    assert told(store) == {"steady": 6}
    store.note_attempts("skills", ["m0", "m1", "m2"])
    assert store.attempts("skills").count == 8
    assert told(store) == {"steady": 8}


def test_of_several_sweeps_that_chose_a_run_the_largest_is_told(store: FolderStore) -> None:
    few, many = (
        Sweep(name="swept", trials=trials, selection_split="skills-search") for trials in (3, 6)
    )
    store.add(record_of(attempts=Attempts(family="skills")))
    for sweep, largest in ((few, few), (many, many), (few, many)):
        store.choose("run-steady", sweep)
        assert present(store.get("run-steady").attempts).sweep == largest
    with pytest.raises(RecordError, match="no run"):
        store.choose("run-nothing", few)
