"""Strict YAML: parses one plain document into a tree whose nodes know line and column.

The tree is built from PyYAML's parser events, not by its constructor, so untrusted text is never
expanded or constructed. Anchors, aliases, tags, merge keys, duplicate keys, several documents, deep
nesting and very many nodes are refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import yaml

from bot.errors import Problem
from bot.recipe.untrusted_text import hidden_character
from bot.recipe.yaml_scalars import PlainValue, plain_value

MAXIMUM_DEPTH = 12
MAXIMUM_NODES = 2000
_NO_SHARING = "write the value out in every place; anchors, aliases and merge keys are refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A position in the file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalarNode(Node):
    """A single value; ``text`` is how it was written, without quotes."""

    value: PlainValue
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListNode(Node):
    """A sequence."""

    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MapNode(Node):
    """A mapping; keys are texts, each once, in the order of the file."""

    entries: dict[str, tuple[ScalarNode, Node]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedNode(Node):
    """A node that was reported already; readers ignore it."""


def compose(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, and the problems of the YAML itself.

    The tree is None when the text could not be read to its end.
    """
    composer = _Composer(text, file)
    try:
        return composer.document(), composer.problems
    except _StopReadingError:
        return None, composer.problems
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax_problem(error, file))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        message = f"not valid YAML: {str(error).splitlines()[0]}"
        composer.problems.append(Problem(message=message, file=file, hint=_EXAMPLE))
    return None, composer.problems


_EXAMPLE = "`mergebot methods linear` ends with a recipe to start from"


class _StopReadingError(Exception):
    """A limit was exceeded; the rest of the file is not read."""


class _Composer:
    """Turns parser events into nodes and collects problems."""

    def __init__(self, text: str, file: str) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.file = file
        self.problems: list[Problem] = []
        self.nodes = 0

    def document(self) -> Node:
        next(self.events)  # the stream's start
        start = next(self.events)
        if isinstance(start, yaml.StreamEndEvent):
            return ScalarNode(line=1, column=1, value=None, text="")
        if isinstance(start, yaml.DocumentStartEvent) and (start.version or start.tags):
            self.refuse(start, "YAML directives (%YAML, %TAG) are refused", "delete the line")
        root = self.node(next(self.events), depth=1)
        next(self.events)  # the document's end
        more = next(self.events)
        if isinstance(more, yaml.DocumentStartEvent):
            self.refuse(
                more,
                "a recipe file holds one document; here a second one begins",
                "give each document a file of its own, merge the first, and name its output "
                "folder as a model in the second",
            )
        return root

    def node(self, event: yaml.Event, depth: int) -> Node:
        self.count(event, depth)
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event, f"alias `*{event.anchor}`", _NO_SHARING)
            return RefusedNode(**_place(event))
        self.refuse_decorations(event)
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        tagged = getattr(event, "tag", None) is not None
        return RefusedNode(**_place(event)) if tagged else node

    def count(self, event: yaml.Event, depth: int) -> None:
        self.nodes += 1
        if depth > MAXIMUM_DEPTH:
            self.refuse(event, f"nested more than {MAXIMUM_DEPTH} levels deep", "flatten it")
            raise _StopReadingError
        if self.nodes > MAXIMUM_NODES:
            self.refuse(event, f"more than {MAXIMUM_NODES} keys and values", "shorten the recipe")
            raise _StopReadingError

    def refuse_decorations(self, event: yaml.Event) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            self.refuse(event, f"anchor `&{anchor}`", _NO_SHARING)
        if tag is not None:
            self.refuse(event, f"tag `{tag}`", "delete the tag: a recipe holds plain values only")

    def scalar(self, event: yaml.ScalarEvent) -> Node:
        text = str(event.value)
        hidden = hidden_character(text.replace("\n", " "))
        if hidden:
            self.refuse(event, f"this text holds the hidden character {hidden}", "delete it")
            return RefusedNode(**_place(event))
        if not unicodedata.is_normalized("NFC", text):
            self.refuse(event, "this text is not in Unicode normal form NFC", "compose it")
            return RefusedNode(**_place(event))
        value = plain_value(text) if event.style is None else text
        return ScalarNode(value=value, text=text, **_place(event))

    def sequence(self, start: yaml.Event, depth: int) -> Node:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return ListNode(items=tuple(items), **_place(start))

    def mapping(self, start: yaml.Event, depth: int) -> Node:
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if self.usable(key, event, entries) and isinstance(key, ScalarNode):
                entries[key.text] = (key, value)
        return MapNode(entries=entries, **_place(start))

    def usable(
        self, key: Node, event: yaml.Event, entries: dict[str, tuple[ScalarNode, Node]]
    ) -> bool:
        if isinstance(key, RefusedNode):
            return False
        if not isinstance(key, ScalarNode):
            self.refuse(
                event, "a key must be a word, not a list or a mapping", "write `key: value`"
            )
            return False
        if key.text == "<<" and getattr(event, "style", None) is None:
            self.refuse(event, "merge key `<<`", _NO_SHARING)
            return False
        if key.text in entries:
            first = entries[key.text][0].line
            self.refuse(
                event,
                f"key `{shorten(key.text)}` is written twice (first in line {first})",
                "keep one of the two",
            )
            return False
        return True

    def refuse(self, event: yaml.Event, message: str, hint: str | None) -> None:
        line, column = _position(event.start_mark)
        problem = Problem(message=message, file=self.file, line=line, column=column, hint=hint)
        self.problems.append(problem)


def shorten(text: str, limit: int = 60) -> str:
    """Untrusted text for a message: on one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _place(event: yaml.Event) -> dict[str, int]:
    line, column = _position(event.start_mark)
    return {"line": line, "column": column}


class _Mark(Protocol):
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def _position(mark: _Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    line, column = _position(error.problem_mark or error.context_mark)
    tab = "\\t" in (error.problem or "")
    return Problem(
        message=f"not valid YAML: {error.problem or error.context}",
        file=file,
        line=line,
        column=column,
        hint="indent with spaces, not with tabs" if tab else _EXAMPLE,
    )
