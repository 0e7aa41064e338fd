from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from leaderboard.board import Board
from leaderboard.board_errors import RecordError
from leaderboard.record import Record
from leaderboard.record_store import Loaded
from space_app.board_pages import board_html, model_page
from space_app.live_board import LiveBoard
from space_app.routes import board_routes
from tests.leaderboard.samples import record_of
from tests.space.boards import MemoryStore, context, records
from tests.space.covering import covers


def at_nine() -> datetime:
    return datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


def test_a_row_is_found_by_id_key_run_and_name() -> None:
    snapshot = LiveBoard(MemoryStore(records())).current
    good = snapshot.find("good")
    assert good is snapshot.find("digest-good") is snapshot.find("run-good")
    assert snapshot.find("nobody") is None
    assert snapshot.similar_names("goood")[0] == "good"


@covers("LB12")
def test_a_failed_refresh_keeps_the_last_board_and_says_so() -> None:
    store = MemoryStore(records())
    live = LiveBoard(store, clock=at_nine)
    before = live.current.board
    store.failure = ConnectionError("Hub 503")
    live.refresh()
    assert live.current.board is before
    page = board_html(live.current, title="Board")
    assert "Data from 09:14 UTC; the last refresh failed (Hub 503)." in page
    assert 'data-id="' in page
    store.failure = None
    assert live.refresh().problem is None
    assert "failed (Hub" not in board_html(live.current, title="Board")


@covers("LB12")
def test_a_store_that_is_out_of_reach_at_the_start_gives_an_empty_board_that_recovers() -> None:
    store = MemoryStore(records())
    store.failure = OSError("no route to host")
    live = LiveBoard(store)
    page = board_html(live.current, title="Board")
    assert "The results are out of reach (no route to host)" in page
    assert "No evaluated models yet" not in page
    store.failure = None
    assert live.refresh().board.rows


@covers("LB12")
def test_a_store_that_takes_long_holds_no_start_up(tmp_path: Path) -> None:
    class Slow(MemoryStore):
        answers = threading.Event()

        def load(self) -> Loaded:
            self.answers.wait(20)
            return super().load()

    store = Slow(records())
    live = context(tmp_path, store=store, start_seconds=0.05).live
    assert "still being read" in board_html(live.current, title="Board")
    store.answers.set()
    assert live.refresh().board.rows
    assert "still being read" not in board_html(live.current, title="Board")


def test_records_no_board_can_be_made_of_are_a_sentence_too() -> None:
    def broken(_records: Sequence[Record], suite: str | None = None) -> Board:
        raise ValueError("two suites of one name")

    live = LiveBoard(MemoryStore(records()), build=broken)
    assert "two suites of one name" in board_html(live.current, title="Board")


def test_an_empty_store_says_how_to_begin() -> None:
    assert "No evaluated models yet" in board_html(LiveBoard(MemoryStore(())).current, title="B")


def test_an_unchanged_store_keeps_the_snapshot_and_a_new_record_replaces_it() -> None:
    store = MemoryStore(records())
    live = LiveBoard(store)
    first = live.current
    assert live.refresh() is first
    store.records = (*store.records, record_of("newer", (0.9, 0.9, 0.9)))
    assert live.refresh().version != first.version


def test_broken_records_are_counted_on_the_page() -> None:
    class Broken(MemoryStore):
        def load(self) -> Loaded:
            return Loaded(records=self.records, problems=(RecordError("run-x.json is not JSON"),))

    live = LiveBoard(Broken(records()))
    assert "1 record could not be read." in board_html(live.current, title="Board")


def test_the_data_come_compressed_and_once_per_version(tmp_path: Path) -> None:
    here = context(tmp_path)
    live = here.live
    client = TestClient(Starlette(routes=board_routes(live, here.voting)))
    answer = client.get("/board/data", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json() == json.loads(gzip.decompress(live.current.lean))
    again = client.get("/board/data", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    plain = client.get("/board/extra", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert set(plain.json()["tasks"]) == {"reverse", "sort", "shift"}


@covers("MP7")
def test_unknown_pending_failed_and_gated_models_have_pages() -> None:
    gated = record_of("guarded")
    parents = tuple(parent.model_copy(update={"gated": True}) for parent in gated.parents)
    pending: Record = record_of("early").model_copy(update={"suites": ()})
    snapshot = LiveBoard(MemoryStore([*records(), pending])).current
    unknown = model_page(snapshot, "goood <b>")
    assert "There is no model “goood &lt;b&gt;”" in unknown
    assert unknown.count("<li>") == 3
    assert "layer 3: q_proj holds 12 NaN" in model_page(snapshot, "broken")
    assert "not evaluated yet" in model_page(snapshot, "early")
    guarded = MemoryStore([gated.model_copy(update={"parents": parents})])
    assert "It is gated" in model_page(LiveBoard(guarded).current, "base")


def test_a_second_broken_record_is_said_although_no_good_one_changed() -> None:
    class Breaking(MemoryStore):
        broken: tuple[RecordError, ...] = ()

        def load(self) -> Loaded:
            return Loaded(records=self.records, problems=self.broken)

    store = Breaking(records())
    live = LiveBoard(store)
    assert "could not be read" not in board_html(live.current, title="B")
    for count, words in ((1, "1 record could not"), (2, "2 records could not")):
        store.broken = tuple(RecordError(f"record {number} is broken") for number in range(count))
        assert words in board_html(live.refresh(), title="B")
    first = live.current
    assert live.refresh() is first
