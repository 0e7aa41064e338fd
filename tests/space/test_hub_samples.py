"""Items from a results dataset: any models of one suite compared, whatever the Hub does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from bot.hub.client import Hub
from bot.hub.results_dataset import ResultsDataset
from leaderboard.hub_store import HubStore, sample_file
from leaderboard.record import Record
from leaderboard.sample_scores import save_scores
from space_app.compare_html import compare_page
from space_app.deployed_main import settings_from
from space_app.live_board import LiveBoard
from space_app.model_comparison import ModelComparison, compare
from tests.hub.prepared import hub_at
from tests.hub_server import Endpoint, HubServer, serve
from tests.leaderboard.samples import PARENTS, in_words, record_of
from tests.present import present
from tests.space.boards import SHARES, samples

PARENT = next(name for name in PARENTS if name != "base")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    with serve(tmp_path / "hub") as running:
        yield running


def items_of(record: Record, folder: Path) -> dict[str, bytes]:
    """What a runner publishes beside a record: a file a model."""
    names = {record.model_digest: record.name} | {one.key: one.name for one in record.parents}
    found = {}
    for key, name in names.items():
        scores = {
            task: in_words(one, name) for task, one in present(samples("", present(key))).items()
        }
        save_scores(scores, folder / "draft.parquet")
        found[sample_file("skills", name, present(key))] = (folder / "draft.parquet").read_bytes()
    return found


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    """The Hub with three merges, the last of which keeps its items to itself."""
    hub = hub_at(server.endpoint, server.token(), tmp_path / "writer")
    dataset = ResultsDataset(hub, "tester/results")
    for name in ("good", "plain"):
        record = record_of(name, SHARES[name])
        dataset.add(record, items_of(record, tmp_path))
    dataset.add(record_of("bad", SHARES["bad"]))
    server.requests.clear()
    return hub


def compared(store: HubStore, *words: str) -> ModelComparison:
    return compare(LiveBoard(store).current, store.samples, words)


def test_two_merges_that_no_run_compared_are_compared_with_their_answers(
    hub: Hub, tmp_path: Path
) -> None:
    store = HubStore("tester/results", tmp_path / "cache", api=hub.api)
    found = compared(store, "plain", "good", "base", PARENT)
    assert [pair.refusal for pair in found.pairs] == [None] * 3
    good = found.pairs[0]
    expected = compare(LiveBoard(store).current, samples, ["plain", "good"]).pairs[0]
    assert good.comparison == expected.comparison
    page = compare_page(LiveBoard(store).current, found)
    assert "question" in page
    assert "plain 0" in page or "plain 1" in page


def test_items_are_fetched_once_and_then_read_here(
    hub: Hub, server: HubServer, tmp_path: Path
) -> None:
    store = HubStore("tester/results", tmp_path / "cache", api=hub.api)
    snapshot = LiveBoard(store).current
    server.requests.clear()
    compare(snapshot, store.samples, ["plain", "good"])
    fetched = len(server.requests.all())
    assert fetched > 0
    compare(snapshot, store.samples, ["plain", "good"])
    compare(snapshot, store.samples, ["good", "plain"])
    assert len(server.requests.all()) == fetched


def test_a_suite_or_run_without_items_is_a_sentence_and_asked_for_once(
    hub: Hub, server: HubServer, tmp_path: Path
) -> None:
    store = HubStore("tester/results", tmp_path / "cache", api=hub.api)
    snapshot = LiveBoard(store).current
    pair = compare(snapshot, store.samples, ["good", "bad"]).pairs[0]
    assert pair.comparison is None
    assert "not published here" in str(pair.refusal)
    server.requests.clear()
    compare(snapshot, store.samples, ["good", "bad"])
    assert server.requests.all() == []
    assert store.samples("another suite", "base") is None


def test_while_the_hub_is_away_what_is_known_is_shown_with_a_sentence(
    hub: Hub, server: HubServer, tmp_path: Path
) -> None:
    store = HubStore("tester/results", tmp_path / "cache", api=hub.api)
    snapshot = LiveBoard(store).current
    compare(snapshot, store.samples, ["base", "good"])
    server.faults.add(Endpoint.ANY, "drop-before", times=None)
    known = compare(snapshot, store.samples, ["base", "good"]).pairs[0]
    assert known.flips
    assert known.note is None
    unknown = compare(snapshot, store.samples, ["good", "plain"]).pairs[0]
    assert unknown.comparison is None
    assert "tester/results" in str(unknown.refusal)
    recorded = compare(snapshot, store.samples, ["plain", "base"]).pairs[0]
    assert recorded.comparison is not None
    assert "tester/results" in str(recorded.note)
    assert str(recorded.note) in compare_page(
        snapshot, compare(snapshot, store.samples, ["plain", "base"])
    )
    server.requests.clear()
    compare(snapshot, store.samples, ["good", "plain"])
    assert server.requests.all() == [], "the Hub is not asked again at once"


def test_a_newer_table_and_a_restart_keep_the_local_copies(hub: Hub, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    store = HubStore("tester/results", cache, api=hub.api)
    live = LiveBoard(store)
    compare(live.current, store.samples, ["plain", "good"])
    ResultsDataset(hub, "tester/results").add(record_of("newer"))
    live.refresh()
    away = HubStore("tester/results", cache, api=HfApi(endpoint="http://127.0.0.1:9", token=False))
    found = compare(LiveBoard(away).current, away.samples, ["plain", "good"])
    assert LiveBoard(away).current.find("newer")
    assert found.pairs[0].flips


def test_broken_items_are_a_sentence(hub: Hub, tmp_path: Path) -> None:
    record = record_of("torn", (0.5, 0.5, 0.5))
    path = sample_file("skills", "torn", str(record.model_digest))
    ResultsDataset(hub, "tester/results").add(record, {path: b"no parquet"})
    store = HubStore("tester/results", tmp_path / "cache", api=hub.api)
    found = compared(store, "plain", "torn").pairs[0]
    assert "does not hold per-sample scores" in str(found.refusal)


def test_items_that_only_an_older_run_published_are_found(hub: Hub, tmp_path: Path) -> None:
    """The newest run of a model need not be the one that has its items."""
    later = record_of("later", SHARES["good"], created="2026-12-01T00:00:00Z")
    later = later.model_copy(update={"model_digest": "digest-good", "suites": record_of(
        "good", SHARES["good"]).suites})  # fmt: skip
    ResultsDataset(hub, "tester/results").add(later)
    store = HubStore("tester/results", tmp_path / "cache", api=hub.api)
    store.load()
    assert store.samples("sha-1", "digest-good") is not None


@pytest.mark.parametrize("word", ["../../etc", "..", "a/b", "[*]?", "\u202e", ".hidden"])
def test_names_from_strangers_stay_in_the_folder(word: str) -> None:
    place = Path("run") / sample_file(word, word, "0123456789")
    assert place.resolve() == Path.cwd() / place
    assert len(place.parts) == 3
    assert not set("[]*?") & set(str(place))


def test_a_deployed_space_reads_items_from_its_dataset(tmp_path: Path) -> None:
    hosted = settings_from({"MERGEBOT_BOARD": "tester/results", "MERGEBOT_CACHE": str(tmp_path)})
    assert isinstance(hosted.store, HubStore)
    assert hosted.samples == hosted.store.samples
    local = settings_from({"MERGEBOT_BOARD": str(tmp_path), "MERGEBOT_CACHE": str(tmp_path)})
    assert local.samples("sha-1", "base") is None
