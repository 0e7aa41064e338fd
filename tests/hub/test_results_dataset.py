"""The results dataset: every row there, none changed, whoever writes at the same time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from bot.errors import HubError, RecordError
from bot.hub.client import Hub
from bot.hub.results_dataset import ResultsDataset
from leaderboard.board_errors import BoardError
from leaderboard.hub_store import HubStore
from leaderboard.record import Retraction, dump_record
from tests.hub.prepared import hub_at
from tests.hub_server import HubServer, serve
from tests.leaderboard.samples import failed_record, record_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    server.faults.clear()
    server.requests.clear()
    return hub_at(server.endpoint, server.token(), tmp_path / "cache")


def store(hub: Hub, repo: str) -> HubStore:
    return HubStore(repo, hub.cache.files, api=hub.api)


def test_rows_are_appended_and_read_back_from_one_file(hub: Hub, server: HubServer) -> None:
    dataset = ResultsDataset(hub, "mergebot/rows")
    records = [record_of("one"), record_of("two"), failed_record()]
    for record in records:
        dataset.add(record)
    server.requests.clear()
    loaded = store(hub, "mergebot/rows").load()
    assert loaded.problems == ()
    assert {record.run_key: record for record in loaded.records} == {
        record.run_key: record for record in records
    }
    asked = [one.endpoint.value for one in server.requests.all()]
    assert asked == ["resolve-head", "resolve-head", "cdn-get"], "is it there, which, the table"
    assert dataset.load().records == loaded.records


def test_a_row_that_is_there_stays_as_it_is(hub: Hub) -> None:
    dataset = ResultsDataset(hub, "mergebot/again")
    first = dataset.add(record_of("one"))
    again = dataset.add(record_of("one", description="another story"))
    assert again == first
    (kept,) = dataset.load().records
    assert kept == record_of("one")


def test_the_dataset_explains_itself_and_becomes_public_last(
    hub: Hub, server: HubServer, tmp_path: Path
) -> None:
    ResultsDataset(hub, "mergebot/explained").add(record_of("one"), {"skills/a.parquet": b"PAR1"})
    files = hub.api.list_repo_files("mergebot/explained", repo_type="dataset")
    assert {"README.md", "runs.parquet", "records/run-one.json",
            "samples/run-one/skills/a.parquet"} < set(files)  # fmt: skip
    order = [one.endpoint.value for one in server.requests.all()]
    assert order.index("create") < order.index("commit") < order.index("settings")
    assert not hub.api.dataset_info("mergebot/explained").private
    ResultsDataset(hub, "mergebot/hidden", private=True).add(record_of("one"))
    assert hub.api.dataset_info("mergebot/hidden").private


def test_the_table_is_one_that_people_can_read(hub: Hub) -> None:
    dataset = ResultsDataset(hub, "mergebot/table")
    dataset.add(record_of("one"))
    path = hub.api.hf_hub_download(
        "mergebot/table", "runs.parquet", repo_type="dataset", cache_dir=hub.cache.files
    )
    (row,) = pq.read_table(io.BytesIO(Path(path).read_bytes())).to_pylist()
    record = record_of("one")
    suite = record.suites[0]
    assert row["name"] == "one"
    assert row["score"] == suite.headline[record.model_digest or ""].value
    assert row["parents"] == ["skills/base", "skills/sort-ft"]
    assert row["verdict"] == "better than every parent"
    assert row["record"] == dump_record(record)


def test_a_lost_table_is_rebuilt_from_the_records(hub: Hub) -> None:
    dataset = ResultsDataset(hub, "mergebot/rebuilt")
    for name in ("one", "two"):
        dataset.add(record_of(name))
    broken = CommitOperationAdd(path_in_repo="runs.parquet", path_or_fileobj=b"not parquet")
    for operation in (broken, CommitOperationDelete(path_in_repo="runs.parquet")):
        hub.api.create_commit(
            "mergebot/rebuilt", [operation], commit_message="oops", repo_type="dataset"
        )
        assert {record.name for record in dataset.load().records} == {"one", "two"}
    dataset.add(record_of("three"))
    assert len(store(hub, "mergebot/rebuilt").load().records) == 3


def test_a_retraction_is_joined_and_kept(hub: Hub) -> None:
    dataset = ResultsDataset(hub, "mergebot/retracted")
    dataset.add(record_of("one"))
    said = Retraction(run_key="run-one", reason="leak", by="ada", created="2026-11-23T00:00:00Z")
    dataset.retract(said)
    dataset.retract(said.model_copy(update={"reason": "another"}))
    dataset.add(record_of("two"))
    found = {record.name: record.retraction for record in dataset.load().records}
    assert found == {"one": said, "two": None}
    with pytest.raises(RecordError, match="no run"):
        dataset.retract(said.model_copy(update={"run_key": "nothing"}))


@pytest.mark.parametrize("kind", ["412", "409", "drop-after", "drop-before", "503"])
def test_a_commit_that_loses_its_race_or_its_answer_loses_no_row(
    kind: str, hub: Hub, server: HubServer
) -> None:
    repo = f"mergebot/race-{kind}"
    dataset = ResultsDataset(hub, repo)
    dataset.add(record_of("one"))
    server.faults.add("commit", kind, times=2)
    dataset.add(record_of("two"))
    assert len(dataset.load().records) == 2
    assert len(hub.api.list_repo_commits(repo, repo_type="dataset")) == 3


def test_four_publishers_at_once_lose_nothing(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    records = [record_of(f"row-{number}") for number in range(12)]

    def write(number: int) -> None:
        own = hub_at(server.endpoint, server.token(), tmp_path / f"cache-{number}")
        for record in records[number::4]:
            ResultsDataset(own, "mergebot/crowded").add(record)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = ResultsDataset(hub, "mergebot/crowded").load().records
    assert {record.name for record in found} == {record.name for record in records}
    commits = hub.api.list_repo_commits("mergebot/crowded", repo_type="dataset")
    assert len(commits) == 13, "a row a commit, and the first"
    assert 412 in {one.status for one in server.requests.all()}, "they did meet"


def test_a_dataset_out_of_reach_is_an_error_with_its_name(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="nobody/nothing"):
        store(hub, "nobody/nothing").load()
    with pytest.raises(HubError):
        ResultsDataset(hub_at("http://127.0.0.1:9", "t", tmp_path), "a/b").load()


def test_the_local_copy_is_shown_while_the_hub_is_away(hub: Hub) -> None:
    ResultsDataset(hub, "mergebot/copied").add(record_of("one"))
    assert store(hub, "mergebot/copied").load().records
    away = HubStore(
        "mergebot/copied", hub.cache.files, api=HfApi(endpoint="http://127.0.0.1:9", token=False)
    )
    assert len(away.load().records) == 1
