"""The Space on a results dataset: a Hub out of reach never takes the board away."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

from leaderboard.hub_store import RUNS, HubStore
from leaderboard.runs import Run, runs_parquet
from leaderboard.schema import dump_record
from space_app.live_board import LiveBoard
from space_app.pages import board_html
from tests.hub_server import Endpoint, HubServer, serve
from tests.leaderboard.samples import record_of
from tests.space.covering import covers

REPO = "tester/results"


def publish(server: HubServer, *names: str) -> HfApi:
    api = HfApi(endpoint=server.endpoint, token=server.token())
    api.create_repo(REPO, repo_type="dataset", exist_ok=True)
    records = [record_of(name) for name in names]
    table = runs_parquet({one.run_key: Run(record=dump_record(one)) for one in records})
    api.create_commit(
        REPO, [CommitOperationAdd(RUNS, table)], repo_type="dataset", commit_message="runs"
    )
    return api


def names(live: LiveBoard) -> set[str]:
    return {row.name for row in live.current.board.rows if row.kind == "merge"}


@covers("LB12")
def test_the_hub_may_go_away_after_the_start(tmp_path: Path):
    with serve(tmp_path / "hub") as server:
        api = publish(server, "good")
        live = LiveBoard(HubStore(REPO, tmp_path / "cache", api=api))
        assert names(live) == {"good"}
        for endpoint in (Endpoint.RESOLVE_HEAD, Endpoint.RESOLVE_GET):
            server.faults.add(endpoint, "drop-before", times=None)
        live.refresh()
        assert names(live) == {"good"}
        server.faults.clear()
        publish(server, "good", "newer")
        live.refresh()
        assert names(live) == {"good", "newer"}
        assert live.current.problem is None


@covers("LB12")
def test_the_hub_may_be_away_at_the_start(tmp_path: Path):
    with serve(tmp_path / "hub") as server:
        api = publish(server, "good")
        server.faults.add(Endpoint.RESOLVE_HEAD, "drop-before", times=None)
        live = LiveBoard(HubStore(REPO, tmp_path / "cache", api=api))
        page = board_html(live.current, title="Board")
        assert "No evaluated models yet" in page
        assert "the last refresh failed" in page
        server.faults.clear()
        live.refresh()
        assert names(live) == {"good"}
