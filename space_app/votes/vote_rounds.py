"""Blind rounds: until the vote, only this module knows which model is on which side."""

from __future__ import annotations

import hashlib
import random
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from leaderboard.board import Row
from space_app.votes.vote_database import Choice, Vote, VoteDatabase
from space_app.votes.vote_tally import PairTally, model_tallies, pair_tally

Clock = Callable[[], float]

LEAST_READING = 3.0
"""Seconds between the first text and a vote; an earlier vote is not counted."""
BETWEEN_VOTES = 10.0
PER_DAY = 50
PER_PAIR_AND_DAY = 5
DAY = 86_400.0
OPEN_ROUNDS = 2_000


@dataclass(kw_only=True)
class VoteRound:
    """One blind round.

    ``token`` is random. ``answered`` is the moment of the first text. ``failed`` says that an
    answer ended with an error.
    """

    token: str
    left: Row
    right: Row
    began: float
    answered: float | None = None
    voted: bool = False
    asked: bool = False
    failed: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


class Voter(NamedTuple):
    """Who votes: a stable name, and why the vote cannot count (None where it can)."""

    identity: str
    uncounted: str | None = None


class Outcome(NamedTuple):
    """What a vote led to: a refusal in words, or the round to be revealed."""

    refusal: str | None
    round: VoteRound | None = None
    uncounted: str | None = None


class BlindVoting:
    """Draws pairs, takes one vote a round, stores it, and counts.

    Args:
        database: where votes are stored.
        salt: part of every visitor's hash, so that hashes of other places do not match.
        seed: of the draw of pairs and sides; random where None.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        database: VoteDatabase,
        *,
        salt: str,
        seed: int | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._database = database
        self._salt = salt
        self._random = random.Random(secrets.randbits(64) if seed is None else seed)  # noqa: S311 - sides, not secrets
        self._clock = clock
        self._rounds: OrderedDict[str, VoteRound] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, rows: Sequence[Row]) -> VoteRound | None:
        """A new round between two related models; None where there is no such pair."""
        pairs = related_pairs(rows)
        if not pairs:
            return None
        with self._lock:
            pair = list(self._random.choice(pairs))
            self._random.shuffle(pair)
            made = VoteRound(
                token=secrets.token_urlsafe(16), left=pair[0], right=pair[1], began=self._clock()
            )
            self._rounds[made.token] = made
            while len(self._rounds) > OPEN_ROUNDS:
                self._rounds.popitem(last=False)
        return made

    def round(self, token: str | None) -> VoteRound | None:
        """A round by its token."""
        return self._rounds.get(token or "")

    def answered(self, token: str, texts: Sequence[str], *, failed: bool = False) -> None:
        """Note the answers so far and when the first one could be read.

        Args:
            token: the round.
            texts: left and right answer; used for the rules on what counts, and not stored.
            failed: whether an answer ended with an error.
        """
        found = self.round(token)
        if found is not None and not found.voted:
            found.answered = self._clock() if found.answered is None else found.answered
            found.texts = list(texts)
            found.failed = failed

    def close(self, token: str) -> None:
        """Drop a round that nobody can vote on."""
        self._rounds.pop(token, None)

    def vote(self, token: str, choice: Choice, voter: Voter, *, share: Any = None) -> Outcome:
        """Take the one vote of a round; a second one is refused."""
        with self._lock:
            found = self._rounds.get(token)
            if found is None:
                return Outcome("This round is over. Start a new one.")
            if found.voted:
                return Outcome("You have voted in this round; its answer is below.", found)
            if found.answered is None:
                return Outcome("Wait for the answers before you vote.")
            if refused := self._too_soon(voter):
                return Outcome(refused)
            found.voted = True
        uncounted = self._uncounted(found, voter)
        self._database.add(
            Vote(
                round=found.token, created=self._clock(), visitor=self.hashed(voter.identity),
                left=found.left.key, right=found.right.key, choice=choice,
                settings=found.settings, uncounted=uncounted, conversation=share,
            )
        )  # fmt: skip
        return Outcome(None, found, uncounted)

    def tally(self, first: str, second: str) -> PairTally:
        """All votes on a pair, models by their keys."""
        return pair_tally(self._database.votes(), first, second)

    def tallies(self) -> dict[str, PairTally]:
        """Each model, by its key, against all it met."""
        return model_tallies(self._database.decisive())

    def delete_votes(self, *identities: str) -> int:
        """Delete all votes of these identities of one visitor; gives how many those were."""
        return sum(
            self._database.delete_votes(self.hashed(one), self._clock()) for one in set(identities)
        )

    def hashed(self, identity: str) -> str:
        """The only form in which an identity is stored: 32 hexadecimal digits."""
        return hashlib.sha256(f"{self._salt}\0{identity}".encode()).hexdigest()[:32]

    def _too_soon(self, voter: Voter) -> str | None:
        mine = self._database.votes(visitor=self.hashed(voter.identity), since=self._clock() - DAY)
        if len(mine) >= PER_DAY:
            return (
                f"You have voted {PER_DAY} times today, which is the most that counts. Thank you!"
            )
        wait = BETWEEN_VOTES - (self._clock() - mine[-1].created) if mine else 0
        return f"Read both answers first: vote again in {int(wait) + 1} s." if wait > 0 else None

    def _uncounted(self, found: VoteRound, voter: Voter) -> str | None:
        if voter.uncounted is not None:
            return voter.uncounted
        if found.failed:
            return "an answer failed"
        if not all(text.strip() for text in found.texts):
            return "an answer is empty"
        if self._clock() - (found.answered or 0.0) < LEAST_READING:
            return "voted before the answers could be read"
        if names_itself(found.texts, identities((found.left, found.right))):
            return "an answer named a model"
        mine = self._database.votes(visitor=self.hashed(voter.identity), since=self._clock() - DAY)
        pair = {found.left.key, found.right.key}
        if sum({vote.left, vote.right} == pair for vote in mine) >= PER_PAIR_AND_DAY:
            return f"more than {PER_PAIR_AND_DAY} votes on this pair today"
        return None


def related_pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """A merge with each of its parents, and merges that share a parent, in a fixed order."""
    pairs = []
    for place, first in enumerate(rows):
        for second in rows[place + 1 :]:
            if second.kind == "merge" and first.kind != "merge":
                related = first.name in second.parents
            elif first.kind == "merge":
                related = second.name in first.parents or bool(
                    set(first.parents) & set(second.parents)
                )
            else:
                related = False
            if related:
                pairs.append((first, second))
    return pairs


def identities(rows: Sequence[Row]) -> set[str]:
    """Names that identify the models: theirs, their parents', and the owners'."""
    names = set()
    for row in rows:
        nodes = row.record.lineage.nodes if row.record else ()
        for name in (row.name, *row.parents, *(node.name for node in nodes)):
            names |= {name, *name.split("/")}
    return {name.lower() for name in names if len(name) >= 4}


def names_itself(texts: Sequence[str], names: Collection[str]) -> bool:
    """Whether an answer contains one of the names as a word."""
    for text in texts:
        lowered = text.lower()
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", lowered) for name in names):
            return True
    return False
