"""Renders a problem as text: location, message, the line with a caret under it, and a hint.

::

    error: recipe.yaml:5:7: `wieght` is not a parameter of ties
      5 |       wieght: 0.4
        |       ^^^^^^
    hint: did you mean `weight`?

The command line, the pull request's report and the Space show the same text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from bot.errors import Problem
from bot.recipe.untrusted_text import is_deceptive

_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,:\[\]{}#]+(?::[^\s,\[\]{}#]+)*")
_WIDEST = 96
_LEAD = 24


def with_excerpts(problems: Iterable[Problem], text: str) -> list[Problem]:
    """The same problems, each with the line of ``text`` that it points at."""
    lines = text.split("\n")
    return [
        replace(problem, excerpt=lines[problem.line - 1].rstrip("\r"))
        if problem.line and problem.line <= len(lines)
        else problem
        for problem in problems
    ]


def render_problem(problem: Problem, *, label: str = "error") -> str:
    """One problem as a few lines of plain text, without a newline at the end."""
    lines = [f"{label}: {problem}"]
    if problem.excerpt is not None and problem.line and problem.column:
        lines += _excerpt(problem.excerpt, problem.line, problem.column)
    if problem.hint:
        lines.append(f"hint: {problem.hint}")
    return "\n".join(lines)


def render_problems(problems: Iterable[Problem]) -> str:
    """Problems as text, a blank line between them."""
    return "\n\n".join(render_problem(problem) for problem in problems)


def _excerpt(line: str, number: int, column: int) -> list[str]:
    at = min(column - 1, len(line))
    match = _WORD.match(line, at)
    length = max(1, match.end() - at) if match else 1
    if len(line) > _WIDEST:
        line, at = _window(line, at)
    line = "".join(map(_shown, line))
    margin = " " * len(str(number))
    caret = "^" * _width(line[at : at + length] or " ")
    return [
        f"  {number} | {line}".rstrip(),
        f"  {margin} | {' ' * _width(line[:at])}{caret}",
    ]


def _shown(character: str) -> str:
    """A character as shown on a terminal; invisible ones are replaced by U+FFFD."""
    if character == "\t":
        return " "
    return character if character.isprintable() and not is_deceptive(character) else "\ufffd"


def _window(line: str, at: int) -> tuple[str, int]:
    """The part of a long line around a position, and the position in it."""
    start = max(0, at - _LEAD)
    end = start + _WIDEST
    left, right = "…" if start else "", "…" if end < len(line) else ""
    return left + line[start:end] + right, at - start + len(left)


def _width(text: str) -> int:
    """Columns that a terminal uses for a text."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    marks = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) + wide - marks
