"""Votes on the Hub: nothing lost, nothing twice, nothing that was taken back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from space_app.votes.vote_database import Vote, VoteDatabase
from space_app.votes.votes_dataset import VotesDataset
from tests.hub_server import Endpoint, HubServer, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


class Space:
    """A Space's disk and its way to the dataset; a new one knows nothing."""

    def __init__(self, server: HubServer, repo: str, disk: Path) -> None:
        self.api = HfApi(endpoint=server.endpoint, token=server.token())
        self.database = VoteDatabase(disk / "votes.sqlite")
        self.dataset = VotesDataset(self.database, repo, disk / "cache", api=self.api)
        self.repo, self.disk = repo, disk

    def rounds(self) -> list[str]:
        return [one.round for one in self.database.votes()]

    def lines(self) -> list[dict[str, object]]:
        """Every line of every vote file at the dataset's head."""
        paths = [
            path
            for path in self.api.list_repo_files(self.repo, repo_type="dataset")
            if path.startswith("votes/")
        ]
        lines = []
        for path in paths:
            local = self.api.hf_hub_download(
                self.repo, path, repo_type="dataset", cache_dir=self.disk / "read"
            )
            lines += [json.loads(line) for line in Path(local).read_text("utf-8").splitlines()]
        return sorted(lines, key=lambda line: str(line["round"]))


SpaceDisks = Callable[..., Space]


@pytest.fixture
def space(server: HubServer, tmp_path: Path, request: pytest.FixtureRequest) -> SpaceDisks:
    server.faults.clear()
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    repo = f"tester/{name}".rstrip("-")[:80]

    def made(disk: str = "one") -> Space:
        return Space(server, repo, tmp_path / disk)

    return made


def vote(number: int, *, visitor: str = "ada", conversation: object = None) -> Vote:
    return Vote(
        round=f"round-{number}", created=1_790_000_000.0 + number, visitor=visitor, left="good",
        right="base", choice="left", settings={"temperature": 0.7, "seed": None},
        conversation=conversation,
    )  # fmt: skip


def test_a_restart_on_an_empty_disk_finds_every_vote(space: SpaceDisks) -> None:
    first = space("one")
    for number in range(3):
        first.database.add(vote(number))
    assert first.dataset.sync(), first.dataset.problem
    first.database.add(vote(3))
    assert first.dataset.sync()
    again = space("two")
    assert again.dataset.sync()
    assert again.database.votes() == first.database.votes()
    assert not again.database.unsent(), "what was read is not sent back"
    assert first.api.dataset_info(first.repo).private


def test_a_sync_without_news_commits_nothing(space: SpaceDisks) -> None:
    one = space()
    assert one.dataset.sync()
    assert not one.api.repo_exists(one.repo, repo_type="dataset"), "made with the first vote"
    one.database.add(vote(1))
    one.dataset.sync()
    before = one.api.list_repo_commits(one.repo, repo_type="dataset")
    assert one.dataset.sync()
    assert one.api.list_repo_commits(one.repo, repo_type="dataset") == before


@pytest.mark.parametrize("kind", ["409", "412"])
def test_a_lost_race_is_run_again_at_once(kind: str, space: SpaceDisks, server: HubServer) -> None:
    one = space()
    one.database.add(vote(1))
    assert one.dataset.sync()
    fault = server.faults.add(Endpoint.COMMIT, kind, times=2)
    one.database.add(vote(2))
    assert one.dataset.sync(), one.dataset.problem
    assert fault.hits == 2
    assert [line["round"] for line in one.lines()] == ["round-1", "round-2"]


def test_a_race_that_is_always_lost_ends(space: SpaceDisks, server: HubServer) -> None:
    one = space()
    server.faults.add(Endpoint.COMMIT, "412", times=None)
    one.database.add(vote(1))
    assert not one.dataset.sync()
    assert one.rounds() == ["round-1"]


@pytest.mark.parametrize("kind", ["503", "402", "drop-before", "drop-after"])
def test_what_failed_is_sent_once_by_a_later_sync(
    kind: str, space: SpaceDisks, server: HubServer
) -> None:
    one = space()
    one.database.add(vote(1))
    assert one.dataset.sync()
    server.faults.add(Endpoint.COMMIT, kind, times=1)
    one.database.add(vote(2))
    one.dataset.sync()
    one.database.add(vote(3))
    assert one.dataset.sync(), one.dataset.problem
    assert [line["round"] for line in one.lines()] == ["round-1", "round-2", "round-3"]
    assert one.dataset.problem is None


def test_a_hub_out_of_reach_keeps_votes_here_and_says_so(
    space: SpaceDisks, server: HubServer
) -> None:
    one = space()
    server.faults.add(Endpoint.ANY, "drop-before", times=None)
    one.database.add(vote(1))
    assert not one.dataset.sync()
    assert one.repo in str(one.dataset.problem)
    assert one.rounds() == ["round-1"]
    server.faults.clear()
    assert one.dataset.sync()
    assert [line["round"] for line in one.lines()] == ["round-1"]


def test_two_spaces_share_their_votes(space: SpaceDisks) -> None:
    first, second = space("one"), space("two")
    first.database.add(vote(1))
    second.database.add(vote(2, visitor="bob"))
    assert first.dataset.sync()
    assert second.dataset.sync()
    assert first.dataset.sync()
    assert first.rounds() == second.rounds() == ["round-1", "round-2"]


def test_writers_at_once_lose_nothing_and_double_nothing(space: SpaceDisks) -> None:
    spaces = [space(f"disk-{number}") for number in range(4)]

    def write(number: int) -> bool:
        done = []
        for turn in range(3):
            spaces[number].database.add(vote(10 * number + turn))
            done.append(spaces[number].dataset.sync())
        return all(done)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(4)))
    expected = sorted(f"round-{10 * number + turn}" for number in range(4) for turn in range(3))
    assert [line["round"] for line in spaces[0].lines()] == expected
    assert spaces[0].dataset.sync()
    assert sorted(spaces[0].rounds()) == expected


def test_what_a_visitor_takes_back_is_gone_from_every_read(space: SpaceDisks) -> None:
    first, second = space("one"), space("two")
    first.database.add(vote(1))
    first.database.add(vote(2, visitor="bob"))
    first.dataset.sync()
    second.dataset.sync()
    assert first.database.delete_votes("ada", vote(5).created) == 1
    assert first.dataset.sync()
    assert second.dataset.sync()
    restarted = space("three")
    assert restarted.dataset.sync()
    assert first.rounds() == second.rounds() == restarted.rounds() == ["round-2"]
    restarted.database.add(vote(9))
    assert restarted.dataset.sync()
    assert restarted.rounds() == ["round-2", "round-9"], "later votes count again"


def test_a_deletion_before_the_votes_were_read_again_holds(space: SpaceDisks) -> None:
    first = space("one")
    first.database.add(vote(1))
    first.dataset.sync()
    restarted = space("two")
    assert restarted.database.delete_votes("ada", vote(5).created) == 0
    assert restarted.dataset.sync()
    assert restarted.rounds() == []
    assert first.dataset.sync()
    assert first.rounds() == []


def test_a_vote_taken_back_before_it_was_sent_never_leaves(space: SpaceDisks) -> None:
    one = space()
    one.database.add(vote(1))
    one.database.delete_votes("ada", vote(5).created)
    assert one.dataset.sync()
    assert one.lines() == []


def test_text_leaves_only_where_it_was_shared(space: SpaceDisks) -> None:
    one = space()
    one.database.add(vote(1))
    one.database.add(vote(2, conversation=[["hi"], ["ho"]]))
    assert one.dataset.sync()
    silent, shared = one.lines()
    assert set(silent) == {"round", "created", "visitor", "left", "right", "choice", "settings"}
    assert shared["conversation"] == [["hi"], ["ho"]]


def test_lines_that_are_no_votes_are_left_out_and_counted(space: SpaceDisks) -> None:
    one = space()
    one.database.add(vote(1))
    one.dataset.sync()
    good = json.dumps({**one.lines()[0], "round": "round-2"})
    bad = [
        "no json", "[]", "{}", good[:-1] + ', "more": 1}', good.replace("1790000001.0", "NaN"),
        good.replace('"choice": "left"', '"choice": "me"'),
    ]  # fmt: skip
    content = "\n".join([*bad, good]).encode()
    one.api.create_commit(
        one.repo,
        [
            CommitOperationAdd("votes/hand.jsonl", content),
            CommitOperationAdd("deletions/hand.jsonl", b'{"visitor": 3}\n'),
        ],
        repo_type="dataset",
        commit_message="by hand",
    )
    assert one.dataset.sync()
    assert one.rounds() == ["round-1", "round-2"]
    assert "7 lines" in str(one.dataset.problem)


def test_votes_leave_in_the_background(space: SpaceDisks) -> None:
    one = space()
    one.database.add(vote(1))
    stop = one.dataset.sync_every(0.02)
    try:
        wait_for(lambda: not one.database.unsent())
        one.database.add(vote(2))
        wait_for(lambda: not one.database.unsent())
    finally:
        stop.set()
    assert [line["round"] for line in one.lines()] == ["round-1", "round-2"]


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
