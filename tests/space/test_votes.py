from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from leaderboard.board import Row
from leaderboard.render.board_json import model_id
from space_app.chat.answer_stream import Answer
from space_app.live_board import LiveBoard
from space_app.routes import votes_column
from space_app.tabs.chat_view import votable
from space_app.tabs.model_tab import show_model
from space_app.votes.vote_database import Choice, Vote, VoteDatabase
from space_app.votes.vote_rounds import (
    BlindVoting,
    Voter,
    VoteRound,
    identities,
    names_itself,
    related_pairs,
)
from space_app.votes.vote_tally import pair_tally, tally_words, wilson
from tests.present import present
from tests.space.boards import MemoryStore, context, records
from tests.space.covering import covers

VOTER = Voter("account:ada")


@pytest.fixture(scope="module")
def rows() -> Sequence[Row]:
    return LiveBoard(MemoryStore(records())).current.board.rows


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def voting(tmp_path: Path, clock: Clock) -> BlindVoting:
    return BlindVoting(VoteDatabase(tmp_path / "v.sqlite"), salt="s", seed=7, clock=clock)


def finished(
    voting: BlindVoting,
    rows: Sequence[Row],
    clock: Clock,
    texts: tuple[str, ...] = ("one.", "two."),
) -> VoteRound:
    found = voting.open(rows)
    voting.answered(present(found).token, texts)
    clock.now += 20
    return present(found)


def vote(
    choice: Choice = "left",
    *,
    left: str = "a",
    right: str = "b",
    uncounted: str | None = None,
    number: int = 0,
    visitor: str = "v",
) -> Vote:
    return Vote(
        round=f"r{number}", created=float(number), visitor=visitor, left=left, right=right,
        choice=choice, settings={}, uncounted=uncounted,
    )  # fmt: skip


@given(st.integers(1, 500), st.data())
def test_the_interval_is_wilsons(n: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, n))
    low, high = wilson(wins, n)
    expected = proportion_confint(wins, n, method="wilson")
    assert math.isclose(low, expected[0], abs_tol=1e-9)
    assert math.isclose(high, expected[1], abs_tol=1e-9)


def test_votes_are_counted_by_pair_whichever_side_they_stood_on() -> None:
    votes = [
        vote("left", number=1),
        vote("right", left="b", right="a", number=2),
        vote("right", number=3),
        vote("tie", number=4),
        vote("both bad", number=5),
        vote("left", number=6, uncounted="not signed in"),
        vote("left", right="c", number=7),
    ]
    tally = pair_tally(votes, "a", "b")
    assert (tally.wins, tally.losses, tally.ties, tally.both_bad, tally.dropped) == (2, 1, 1, 1, 1)
    assert tally.provisional
    swapped = pair_tally(votes, "b", "a")
    assert (swapped.wins, swapped.losses) == (1, 2)


def test_fifty_votes_are_words_without_provisional() -> None:
    votes = [vote("left" if number < 32 else "right", number=number) for number in range(50)]
    words = tally_words(pair_tally(votes, "a", "b"), "a", "b")
    assert words.startswith("a won 32 of 50 decisive votes against b: 64 % [50, 76]")
    assert "Provisional" not in words


@covers("BV2")
def test_sides_and_pairs_are_drawn_evenly(voting: BlindVoting, rows: Sequence[Row]) -> None:
    draws = [voting.open(rows) for _ in range(400)]
    kinds = [(present(found).left.kind, present(found).right.kind) for found in draws]
    merges_left = sum(left == "merge" for left, right in kinds if {left, right} != {"merge"})
    mixed = sum({left, right} != {"merge"} for left, right in kinds)
    # Five standard deviations of a fair coin.
    assert abs(merges_left - mixed / 2) < 2.5 * math.sqrt(mixed)
    assert len({present(found).token for found in draws}) == 400


def test_only_related_models_meet(rows: Sequence[Row]) -> None:
    for first, second in related_pairs(rows):
        assert first.key != second.key
        parents = set(first.parents) | set(second.parents)
        assert {first.name, second.name} & parents or set(first.parents) & set(second.parents)
    assert related_pairs(rows[:1]) == []


@covers("BV3")
def test_a_second_vote_is_refused_and_changes_nothing(
    voting: BlindVoting, rows: Sequence[Row], clock: Clock, tmp_path: Path
) -> None:
    found = finished(voting, rows, clock)
    assert voting.vote(found.token, "left", VOTER).refusal is None
    clock.now += 60
    again = voting.vote(found.token, "right", VOTER)
    assert "You have voted in this round" in present(again.refusal)
    assert again.round is found
    kept = VoteDatabase(tmp_path / "v.sqlite").votes()
    assert [one.choice for one in kept] == ["left"]


def test_a_round_needs_answers_and_a_known_token(voting: BlindVoting, rows: Sequence[Row]) -> None:
    found = voting.open(rows)
    assert "Wait for the answers" in present(
        voting.vote(present(found).token, "left", VOTER).refusal
    )
    assert "This round is over" in present(voting.vote("guess", "left", VOTER).refusal)


@covers("BV7")
def test_votes_close_together_and_too_many_a_day_are_refused(
    voting: BlindVoting, rows: Sequence[Row], clock: Clock
) -> None:
    first = finished(voting, rows, clock)
    voting.vote(first.token, "left", VOTER)
    second = voting.open(rows)
    voting.answered(present(second).token, ("a.", "b."))
    clock.now += 4
    assert "vote again in 7 s" in present(voting.vote(present(second).token, "left", VOTER).refusal)
    for _ in range(49):
        assert voting.vote(finished(voting, rows, clock).token, "tie", VOTER).refusal is None
    last = finished(voting, rows, clock)
    assert "50 times today" in present(voting.vote(last.token, "left", VOTER).refusal)
    clock.now += 86_400
    assert voting.vote(last.token, "left", VOTER).refusal is None


@covers("BV6")
@pytest.mark.parametrize(
    ("texts", "wait", "voter", "why"),
    [
        (("I am sort-ft, trained by", "x."), 20, VOTER, "an answer named a model"),
        (("fine.", "x."), 1, VOTER, "voted before the answers could be read"),
        (("fine.", "x."), 20, Voter("address:1", "not signed in"), "not signed in"),
        (("a resort-ftx", "x."), 20, VOTER, None),
    ],
)
def test_votes_that_cannot_count_are_kept_with_the_reason(
    rows: Sequence[Row],
    texts: tuple[str, str],
    wait: float,
    voter: Voter,
    why: str | None,
    tmp_path: Path,
) -> None:
    clock = Clock()
    voting = BlindVoting(VoteDatabase(tmp_path / "v.sqlite"), salt="s", seed=1, clock=clock)
    found = voting.open([row for row in rows if row.name in {"good", "sort-ft"}])
    voting.answered(present(found).token, texts)
    clock.now += wait
    outcome = voting.vote(present(found).token, "left", voter)
    assert outcome.uncounted == why
    assert voting.tally("digest-good", "sort-ft").dropped == (why is not None)


def test_the_sixth_vote_on_a_pair_in_a_day_is_not_counted(
    voting: BlindVoting, rows: Sequence[Row], clock: Clock
) -> None:
    pair = [row for row in rows if row.name in {"good", "base"}]
    reasons = [voting.vote(finished(voting, pair, clock).token, "tie", VOTER) for _ in range(6)]
    assert [one.uncounted is None for one in reasons] == [True] * 5 + [False]


def test_a_visitor_is_a_salted_hash_and_can_take_everything_back(
    voting: BlindVoting, rows: Sequence[Row], clock: Clock, tmp_path: Path
) -> None:
    for _ in range(2):
        voting.vote(finished(voting, rows, clock).token, "left", VOTER)
    content = (tmp_path / "v.sqlite").read_bytes() + (tmp_path / "v.sqlite-wal").read_bytes()
    assert b"ada" not in content
    assert voting.delete_votes("account:someone-else") == 0
    assert voting.delete_votes("account:ada") == 2
    assert VoteDatabase(tmp_path / "v.sqlite").votes() == []


def test_text_is_kept_only_when_shared(
    voting: BlindVoting, rows: Sequence[Row], clock: Clock, tmp_path: Path
) -> None:
    voting.vote(finished(voting, rows, clock).token, "left", VOTER)
    voting.vote(finished(voting, rows, clock).token, "left", VOTER, share=[["hi"], ["ho"]])
    kept = VoteDatabase(tmp_path / "v.sqlite").votes()
    assert [one.conversation for one in kept] == [None, [["hi"], ["ho"]]]


def test_names_are_looked_for_as_words(rows: Sequence[Row]) -> None:
    names = identities([row for row in rows if row.name == "good"])
    assert "sort-ft" in names
    assert names_itself(["I'm Sort-FT!"], names)
    assert not names_itself(["that is goodness"], names)


def test_a_models_page_tells_what_people_preferred_apart_from_its_scores(tmp_path: Path) -> None:
    here = context(tmp_path)
    assert "Blind votes" not in show_model(here, "good")
    database = VoteDatabase(tmp_path / "votes.sqlite")
    database.add(vote("right", left="base", right="digest-good", number=1))
    page = show_model(here, "good")
    assert "good won 1 of 1 decisive votes against base: 100 % [21, 100]" in page
    assert "Provisional" in page
    assert "Blind votes" not in show_model(here, "plain")


@pytest.mark.parametrize(
    ("texts", "failed", "why"),
    [
        (("The answer is", ""), True, "an answer failed"),
        (("The answer is", "It is"), True, "an answer failed"),
        (("The answer is", " \n"), False, "an answer is empty"),
    ],
)
def test_a_vote_on_a_failed_or_empty_answer_is_kept_and_not_counted(
    voting: BlindVoting,
    rows: tuple[Row, ...],
    clock: Clock,
    tmp_path: Path,
    texts: tuple[str, str],
    failed: bool,
    why: str,
) -> None:
    found = present(voting.open([row for row in rows if row.name in {"good", "base"}]))
    voting.answered(found.token, texts, failed=failed)
    clock.now += 20
    assert voting.vote(found.token, "left", VOTER).uncounted == why
    assert voting.tallies() == {}
    kept = VoteDatabase(tmp_path / "v.sqlite").votes()
    assert [one.uncounted for one in kept] == [why]


def test_an_answer_without_text_or_with_a_failure_cannot_be_voted_on() -> None:
    good = Answer(text="The answer is 4.", tokens=3, finish="end")
    assert votable((good, good))
    assert not votable((good, Answer(text="", failure="CUDA out of memory")))
    assert not votable((good, Answer(text="Half an", failure="CUDA out of memory")))
    assert not votable((good, Answer(text=" ", finish="end")))


def test_votes_of_an_account_and_of_its_browser_are_deleted_together(
    voting: BlindVoting, rows: tuple[Row, ...], clock: Clock
) -> None:
    """Earlier days included: neither identity changes with the day."""
    for name in ("browser:b1", "account:ada", "browser:b1", "browser:other"):
        voting.vote(finished(voting, rows, clock).token, "left", Voter(name))
        clock.now += 3 * 86_400
    assert voting.delete_votes("account:ada", "browser:b1") == 3
    assert voting.delete_votes("account:ada", "browser:b1") == 0


def test_the_votes_column_is_each_models_share_of_counted_decisive_votes(tmp_path: Path) -> None:
    here = context(tmp_path)
    database = VoteDatabase(tmp_path / "votes.sqlite")
    given = [
        vote("left" if number < 32 else "right", left="digest-good", right="base", number=number)
        for number in range(50)
    ]
    given += [
        vote("tie", left="digest-good", right="base", number=60),
        vote("left", left="base", right="digest-good", number=61, uncounted="not signed in"),
        vote("right", left="base", right="sort-ft", number=62),
    ]
    for one in given:
        database.add(one)
    column = json.loads(gzip.decompress(votes_column(here.voting)))
    assert column == {
        model_id("digest-good"): [0.64, "64 % [50, 76] of 50"],
        model_id("base"): [18 / 51, "35 % [24, 49] of 51"],
        model_id("sort-ft"): [1.0, "100 % [21, 100] of 1, provisional"],
    }
    low, high = proportion_confint(18, 51, method="wilson")
    assert (round(100 * low), round(100 * high)) == (24, 49)
