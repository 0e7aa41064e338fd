"""Counting votes by pair: the win rate of decisive votes with Wilson's interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from space_app.votes.vote_database import Vote

Z = 1.959963984540054
PROVISIONAL = 50
"""Fewer decisive votes than this are shown as provisional."""


@dataclass(frozen=True, kw_only=True)
class PairTally:
    """How often the first of two models won, lost, tied, or both were bad; and what was dropped."""

    wins: int = 0
    losses: int = 0
    ties: int = 0
    both_bad: int = 0
    dropped: int = 0

    @property
    def decisive(self) -> int:
        """Votes for one of the two."""
        return self.wins + self.losses

    @property
    def rate(self) -> float | None:
        """The first model's share of decisive votes."""
        return self.wins / self.decisive if self.decisive else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the rate."""
        return wilson(self.wins, self.decisive) if self.decisive else None

    @property
    def provisional(self) -> bool:
        """Whether there are too few votes to say anything firm."""
        return self.decisive < PROVISIONAL


def wilson(wins: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); n must be at least 1."""
    share = wins / n
    middle = share + Z * Z / (2 * n)
    spread = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def model_tallies(decisive: Iterable[tuple[str, str, int]]) -> dict[str, PairTally]:
    """Each model against all it met, of `VoteDatabase.decisive`."""
    wins, losses = Counter[str](), Counter[str]()
    for won, lost, count in decisive:
        wins[won] += count
        losses[lost] += count
    return {model: PairTally(wins=wins[model], losses=losses[model]) for model in wins | losses}


def pair_tally(votes: Iterable[Vote], first: str, second: str) -> PairTally:
    """The tally of two models, whichever side they stood on."""
    counts = dict.fromkeys(("wins", "losses", "ties", "both_bad", "dropped"), 0)
    for vote in votes:
        if {vote.left, vote.right} != {first, second}:
            continue
        if vote.uncounted is not None:
            counts["dropped"] += 1
        elif vote.choice == "tie":
            counts["ties"] += 1
        elif vote.choice == "both bad":
            counts["both_bad"] += 1
        else:
            winner = vote.left if vote.choice == "left" else vote.right
            counts["wins" if winner == first else "losses"] += 1
    return PairTally(**counts)


def tally_words(tally: PairTally, first: str, second: str) -> str:
    """``a won 32 of 50 decisive votes against b: 64 % [50, 76]; 4 ties, 1 both bad``."""
    rate, interval = tally.rate, tally.interval
    others = f"{tally.ties} ties, {tally.both_bad} both bad, {tally.dropped} not counted"
    if rate is None or interval is None:
        return f"No counted vote yet on {first} against {second} ({others})."
    low, high = (round(100 * end) for end in interval)
    words = (
        f"{first} won {tally.wins} of {tally.decisive} decisive votes against {second}:"
        f" {100 * rate:.0f} % [{low}, {high}]; {others}."
    )
    return words + (" Provisional." if tally.provisional else "")


def share_words(tally: PairTally) -> str | None:
    """``64 % [50, 76] of 50``, with ``provisional`` where votes are few; None before the first."""
    rate, interval = tally.rate, tally.interval
    if rate is None or interval is None:
        return None
    low, high = (round(100 * end) for end in interval)
    words = f"{100 * rate:.0f} % [{low}, {high}] of {tally.decisive}"
    return words + (", provisional" if tally.provisional else "")
