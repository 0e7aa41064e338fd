"""A board made by the version before ``license`` had one spelling, read by this one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from leaderboard.board_errors import RecordError
from leaderboard.build_board import build_board
from leaderboard.migrations import RECORD
from leaderboard.record import dump_record, parse_record
from leaderboard.record_store import FolderStore
from leaderboard.render.board_export import board_json, board_parquet
from leaderboard.runs_table import load_runs, read_runs, runs_parquet
from leaderboard.sample_scores import load_scores, save_scores
from tests.leaderboard.samples import record_of, scores_of

OLD = Path(__file__).parent / "board_of_version_1"


@pytest.fixture
def board(tmp_path: Path) -> FolderStore:
    shutil.copytree(OLD / "board", tmp_path / "board")
    return FolderStore(tmp_path / "board")


def test_an_old_board_is_read_as_it_is(board: FolderStore) -> None:
    before = {path: path.read_bytes() for path in board.root.rglob("*") if path.is_file()}
    loaded = board.load()
    assert loaded.problems == ()
    broken, gone, steady = loaded.records
    assert (broken.name, gone.name, steady.name) == ("broken", "gone", "steady")
    assert steady.license is not None
    assert steady.license.id == "apache-2.0"
    assert [parent.license for parent in steady.parents] == ["apache-2.0", "apache-2.0"]
    assert [node.license for node in steady.lineage.nodes] == ["apache-2.0", None, "apache-2.0"]
    assert [flag.kind for flag in steady.flags] == ["license"]
    assert steady.publication is not None
    assert steady.publication.repo == "org/steady"
    assert gone.retraction is not None
    assert gone.retraction.by == "ada"
    assert steady.attempts is not None
    # three in the folder, and three that the record of a merge from elsewhere disclosed
    assert (steady.attempts.count, steady.attempts.sweep and steady.attempts.sweep.trials) == (6, 2)
    assert before == {path: path.read_bytes() for path in board.root.rglob("*") if path.is_file()}
    assert [row.name for row in build_board(loaded.records).rows] == ["steady", "sort-ft", "base"]


def test_writing_takes_an_old_board_to_the_current_version(board: FolderStore) -> None:
    before = board.load()
    board.note_attempts("skills", ["merge-next"])
    assert json.loads((board.root / "board.json").read_text()) == {
        "format": "mergebot.board",
        "version": 2,
    }
    assert not (board.root / "attempts").exists()
    after = {one.name: one for one in board.load().records}
    for one in before.records:
        assert one.attempts is not None
        assert one.attempts.count is not None
        now = after[one.name].attempts
        assert now is not None
        grown = now.model_copy(
            update={"count": one.attempts.count + 1, "sweep": one.attempts.sweep}
        )
        assert after[one.name] == one.model_copy(update={"attempts": grown})


def test_the_tables_of_the_old_version_are_read() -> None:
    runs = read_runs((OLD / "runs.parquet").read_bytes())
    (record,) = load_runs(runs, where="org/results").records
    assert record.license is not None
    assert load_scores(OLD / "scores.parquet") == scores_of((0.5, 0.5, 0.5), n=5)


def test_what_an_old_record_becomes_is_a_record_of_this_version() -> None:
    text = (OLD / "board/records/run-steady.json").read_text()
    assert "licence" in text
    written = dump_record(parse_record(text))
    assert parse_record(written) == parse_record(text)
    content = json.loads(written)
    assert (content["format"], content["version"]) == ("mergebot.record", 2)
    assert "licence" not in written.replace(content["recipe"]["text"], "")


def test_every_file_says_its_format_and_version(tmp_path: Path) -> None:
    table = runs_parquet({})
    (tmp_path / "runs.parquet").write_bytes(table)
    save_scores(scores_of((0.5, 0.5, 0.5), n=5), tmp_path / "scores.parquet")
    board = build_board([record_of()])
    (tmp_path / "board.parquet").write_bytes(board_parquet(board))
    for name in ("runs", "scores", "board"):
        metadata = pq.read_schema(tmp_path / f"{name}.parquet").metadata
        assert metadata[b"format"].startswith(b"mergebot.")
        assert int(metadata[b"version"]) >= 1
    assert json.loads(board_json(board))["format"] == "mergebot.leaderboard"


def newer(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "version": 3}))


def test_newer_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    path = store.add(record_of())
    newer(path)
    (problem,) = store.load().problems
    assert "made by a newer mergebot: it has version 3 of mergebot.record" in str(problem)
    assert problem.hint == "upgrade mergebot"
    newer(tmp_path / "board.json")
    for act in (store.load, lambda: store.note_attempts("f", ["m"])):
        with pytest.raises(RecordError, match=r"version 3 of mergebot\.board"):
            act()
    table = tmp_path / "scores.parquet"
    save_scores(scores_of((0.5, 0.5, 0.5), n=5), table)
    found = pq.read_table(table)
    metadata = {**found.schema.metadata, b"version": b"3"}
    pq.write_table(found.replace_schema_metadata(metadata), table)
    with pytest.raises(RecordError, match=r"version 3 of mergebot\.sample-scores"):
        load_scores(table)


def test_every_older_version_of_a_record_has_its_step() -> None:
    assert sorted(RECORD.steps) == list(range(RECORD.unmarked, RECORD.version))
