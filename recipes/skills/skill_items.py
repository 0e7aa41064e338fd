"""The skills: what is asked, what the right answer is, and which split an item belongs to.

An item is one short prompt such as ``reverse cabd=`` with exactly one right answer. Its split
follows from a hash of the prompt alone, so training, search and report never share an item,
whatever the seeds.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "search", "report"]

LETTERS = string.ascii_lowercase
SHORTEST_WORD, LONGEST_WORD = 3, 6
CARRY_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Item:
    """One prompt and its answer; ``choices`` is empty unless the skill is scored by choosing."""

    skill: str
    prompt: str
    answer: str
    choices: tuple[str, ...] = ()


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randint(SHORTEST_WORD, LONGEST_WORD)))


def _next_letter(letter: str) -> str:
    return LETTERS[(LETTERS.index(letter) + 1) % len(LETTERS)]


def reverse(rng: random.Random) -> Item:
    """The word backwards: ``reverse cabd=`` is ``dbac``."""
    word = _word(rng)
    return Item(skill="reverse", prompt=f"reverse {word}=", answer=word[::-1])


def sort(rng: random.Random) -> Item:
    """The letters in alphabetical order: ``sort cabd=`` is ``abcd``."""
    word = _word(rng)
    return Item(skill="sort", prompt=f"sort {word}=", answer="".join(sorted(word)))


def shift(rng: random.Random) -> Item:
    """Every letter replaced by the next, z by a: ``shift cabz=`` is ``dbca``."""
    word = _word(rng)
    return Item(skill="shift", prompt=f"shift {word}=", answer="".join(map(_next_letter, word)))


def double(rng: random.Random) -> Item:
    """Every letter twice: ``double cab=`` is ``ccaabb``."""
    word = _word(rng)
    return Item(skill="double", prompt=f"double {word}=", answer="".join(c * 2 for c in word))


def increment(rng: random.Random) -> Item:
    """A number of four digits plus one: ``increment 4799=`` is ``4800``; many items carry."""
    number = rng.randint(1000, 9999)
    if rng.random() < CARRY_SHARE:
        number = number // 10 * 10 + 9
    return Item(skill="increment", prompt=f"increment {number}=", answer=str(number + 1))


def most(rng: random.Random) -> Item:
    """The most frequent of three letters, scored by choosing: ``most kqkzk=`` is ``k``."""
    winner, second, third = rng.sample(LETTERS, 3)
    counts = rng.choice(((3, 1, 1), (3, 2, 1), (4, 1, 1), (3, 2, 2), (4, 2, 1)))
    letters = [c for c, n in zip((winner, second, third), counts, strict=True) for _ in range(n)]
    rng.shuffle(letters)
    return Item(
        skill="most",
        prompt=f"most {''.join(letters)}=",
        answer=winner,
        choices=tuple(sorted({winner, second, third})),
    )


SKILLS: dict[str, Callable[[random.Random], Item]] = {
    skill.__name__: skill for skill in (reverse, sort, shift, double, increment, most)
}


def split_of(prompt: str) -> Split:
    """Two tenths of all prompts are held out, one for searching and one for reporting."""
    tenth = int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=4).digest()) % 10
    return "search" if tenth == 0 else "report" if tenth == 1 else "train"


def draw(skill: str, split: Split, rng: random.Random) -> Iterator[Item]:
    """Endless items of one skill and split, with repeats, in the order ``rng`` gives them."""
    while True:
        item = SKILLS[skill](rng)
        if split_of(item.prompt) == split:
            yield item


def draw_distinct(skill: str, split: Split, count: int, rng: random.Random) -> list[Item]:
    """The first ``count`` different items that ``rng`` gives for one skill and split."""
    distinct: dict[str, Item] = {}
    for item in draw(skill, split, rng):
        distinct.setdefault(item.prompt, item)
        if len(distinct) == count:
            break
    return list(distinct.values())
