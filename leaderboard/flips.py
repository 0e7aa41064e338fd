"""Items that only one of two models gets right: how many, and a few of them to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from leaderboard.sample_scores import Integers, TaskScores, align

EXAMPLES = 5


class Words(NamedTuple):
    """An item as people read it; ``ours`` and ``theirs`` are the two models' answers."""

    question: str
    expected: str
    ours: str
    theirs: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item; ``words`` is None where the suite, or an older version, kept no texts of it."""

    number: int
    words: Words | None = None


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Items only one of two models got right: how many, and the first few."""

    gained: int
    lost: int
    gained_items: tuple[Item, ...]
    lost_items: tuple[Item, ...]

    @property
    def in_words(self) -> bool:
        """Whether there is something to read."""
        return any(item.words for item in (*self.gained_items, *self.lost_items))


def flipped_items(ours: TaskScores, theirs: TaskScores) -> Flips:
    """The items on which two right-or-wrong results differ. Raises IncomparableError."""
    differences = align(ours, theirs).differences
    ids = np.sort(np.asarray(ours.doc_ids))
    gained, lost = ids[differences > 0], ids[differences < 0]
    return Flips(
        gained=gained.size,
        lost=lost.size,
        gained_items=_items(gained[:EXAMPLES], ours, theirs),
        lost_items=_items(lost[:EXAMPLES], ours, theirs),
    )


def _items(numbers: Integers, ours: TaskScores, theirs: TaskScores) -> tuple[Item, ...]:
    return tuple(Item(number=one, words=_words(one, ours, theirs)) for one in numbers.tolist())


def _words(number: int, ours: TaskScores, theirs: TaskScores) -> Words | None:
    if ours.texts is None or theirs.texts is None:
        return None
    mine, other = ours.doc_ids.index(number), theirs.doc_ids.index(number)
    return Words(
        question=ours.texts.questions[mine],
        expected=ours.texts.expected[mine],
        ours=ours.texts.answers[mine],
        theirs=theirs.texts.answers[other],
    )
