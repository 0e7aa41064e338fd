"""What was asked, expected and answered, item by item: to look at, never to compute with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_CHARACTERS = 400
GAP = " … "
TEXT_COLUMNS = ("questions", "expected", "answers")


@dataclass(frozen=True, kw_only=True)
class ItemTexts:
    """One model's items on one task in words; all sequences have the task's length n.

    Texts are shortened by `shortened`, so that files stay small. ``expected`` is empty where an
    item has no one right answer (a program judges it).
    """

    questions: tuple[str, ...]
    expected: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def columns(self) -> tuple[tuple[str, ...], ...]:
        """The sequences in the order of `TEXT_COLUMNS`."""
        return self.questions, self.expected, self.answers

    def as_dict(self) -> dict[str, list[str]]:
        """Plain JSON values; the inverse of `from_dict`."""
        return {name: list(texts) for name, texts in zip(TEXT_COLUMNS, self.columns, strict=True)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Sequence[Any]]) -> ItemTexts:
        """Read what `as_dict` gave. Raises KeyError or TypeError for anything else."""
        return cls(**{name: tuple(map(str, content[name])) for name in TEXT_COLUMNS})


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    """At most so many characters: the beginning and the end, where questions and answers stand."""
    text = text.strip()
    if len(text) <= most:
        return text
    tail = most // 3
    return text[: most - tail - len(GAP)].rstrip() + GAP + text[-tail:].lstrip()
