"""Collects a recipe's problems, so that an author sees all of them at once; finds near names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bot.errors import Problem, RecipeError
from bot.recipe.render_problems import with_excerpts
from bot.recipe.strict_yaml import Node

_MOST_LISTED = 12


class Problems:
    """The problems of one file, added in any order, raised in the file's order."""

    def __init__(self, file: str, text: str, found: Iterable[Problem] = ()) -> None:
        self.file = file
        self.text = text
        self._found = list(found)

    def add(self, node: Node, message: str, hint: str | None = None) -> None:
        """Add a problem at a node's line and column."""
        problem = Problem(
            message=message, file=self.file, line=node.line, column=node.column, hint=hint
        )
        self._found.append(problem)

    def raise_if_any(self) -> None:
        """Raise every problem added so far.

        Raises:
            RecipeError: at least one problem was added.
        """
        if self._found:
            ordered = sorted(dict.fromkeys(self._found), key=_position)
            raise RecipeError(with_excerpts(ordered, self.text))


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.line or 0, problem.column or 0)


def nearest(word: str, known: Iterable[str], *, noun: str = "known") -> str:
    """A hint that names the closest of the known words, if one is close, and all of them."""
    names = list(known)
    listed = f"{noun}: {', '.join(names)}"
    match = close_matches(word, names)
    if match and len(names) > _MOST_LISTED:
        return f"did you mean `{match[0]}`?"
    return f"did you mean `{match[0]}`?  {listed}" if match else listed


def close_matches(word: str, known: Iterable[str]) -> list[str]:
    """The known word closest to this one, in a list; empty when none is close."""
    by_small = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:80], by_small, n=1, cutoff=0.6)
    return [by_small[small] for small in found]
