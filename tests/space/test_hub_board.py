"""The Space on a results dataset: a Hub out of reach never takes the board away."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from leaderboard.hub_store import RUNS, HubStore
from leaderboard.record import dump_record
from leaderboard.runs_table import Run, runs_parquet
from space_app.board_pages import board_html
from space_app.deployed_main import START_SECONDS, settings_from
from space_app.live_board import LiveBoard
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
def test_the_hub_may_go_away_after_the_start(tmp_path: Path) -> None:
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
def test_the_hub_may_be_away_at_the_start(tmp_path: Path) -> None:
    with serve(tmp_path / "hub") as server:
        api = publish(server, "good")
        server.faults.add(Endpoint.RESOLVE_HEAD, "drop-before", times=None)
        live = LiveBoard(HubStore(REPO, tmp_path / "cache", api=api))
        page = board_html(live.current, title="Board")
        assert "The results are out of reach (the results in tester/results cannot be read" in page
        server.faults.clear()
        live.refresh()
        assert names(live) == {"good"}


@dataclass(frozen=True)
class Nobody:
    """An address where nobody listens, or where somebody does and never answers."""

    listening: socket.socket

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def calls(self) -> int:
        """How often it was called since this was asked last."""
        self.listening.setblocking(False)
        for count in itertools.count():
            try:
                self.listening.accept()
            except OSError:
                return count
        raise AssertionError


@pytest.fixture(params=["refused", "silent"])
def nobody(request: pytest.FixtureRequest) -> Iterator[Nobody]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if request.param == "silent":
            listening.listen(100)
        yield Nobody(listening)


@covers("LB12")
def test_a_start_without_the_hub_or_a_copy_is_not_held_up(nobody: Nobody, tmp_path: Path) -> None:
    store = HubStore(
        REPO, tmp_path / "cache", api=HfApi(endpoint=nobody.address, token=False), timeout=1.0
    )
    live = LiveBoard(store, start_seconds=0.1)
    assert nobody.calls() <= 2, "each call takes up to the timeout of a second"
    page = board_html(live.current, title="Board")
    assert "The results are" in page
    assert "No evaluated models yet" not in page
    assert "The results are out of reach" in board_html(live.refresh(), title="Board")
    assert nobody.calls() <= 6, "the client's own timeouts are minutes"


def test_a_deployed_space_waits_for_its_board_only_so_long(tmp_path: Path) -> None:
    found = settings_from({"MERGEBOT_BOARD": REPO, "MERGEBOT_CACHE": str(tmp_path)})
    assert found.start_seconds == START_SECONDS
