"""Sweeps: expands one recipe file with ``{sweep: [...]}`` into several recipes (variants).

Inside ``parameters``, ``{sweep: [0.3, 0.5, 0.7]}`` may replace any value. Several sweeps give every
combination; the first one varies slowest. Each variant is a complete recipe with its own text and
is checked like any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from bot.recipe.canonical import recipe_hash
from bot.recipe.load_recipe import Signatures, read_document, read_file
from bot.recipe.method_signature import load_signatures
from bot.recipe.problems import Problems
from bot.recipe.recipe import Recipe
from bot.recipe.strict_yaml import ListNode, MapNode, Node, RefusedNode, ScalarNode, shorten
from bot.recipe.top_level import read_recipe
from bot.recipe.yaml_scalars import plain_value

KEY = "sweep"
MOST_VARIANTS = 256
MOST_NODES = 20_000
"""Keys and values of all variants together: reading one takes about 50 microseconds."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One recipe of a sweep; ``choices`` maps ``models[1].parameters.weight`` to its value.

    ``parsed`` is the recipe without a text of its own: writing one takes longer than reading it.
    ``sweep_at`` is the line and column of the file's first sweep.
    """

    parsed: Recipe
    choices: Mapping[str, object]
    tree: Node
    sweep_at: tuple[int, int] | None = None

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, with the text that makes this variant again."""
        return replace(self.parsed, text=_written(self.tree)) if self.choices else self.parsed

    @property
    def label(self) -> str:
        """The choices as text, in the order of the file."""
        return ", ".join(f"{where}={_in_yaml(value)}" for where, value in self.choices.items())


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    where: str
    node: MapNode
    values: tuple[Node, ...]


def load_sweep(path: Path, signatures: Signatures | None = None) -> tuple[Variant, ...]:
    """Read a recipe file and all its variants; a recipe without sweeps is its only variant.

    Raises:
        RecipeError: every problem of the file and of every variant, each once.
    """
    return parse_sweep(read_file(path), str(path), signatures)


def parse_sweep(
    source: str | bytes, file: str = "recipe.yaml", signatures: Signatures | None = None
) -> tuple[Variant, ...]:
    """Read a recipe's text and all its variants.

    Raises:
        RecipeError: every problem of the text and of every variant, each once.
    """
    root, problems = read_document(source, file)
    known = load_signatures() if signatures is None else signatures
    root = _without_misplaced(root, problems)
    sweeps = [_read_sweep(where, node, problems) for where, node in _find(root, "", inside=False)]
    variants = []
    for chosen in _combinations(root, sweeps, problems):
        tree = _replaced(root, {_at(s.node): v for s, v in zip(sweeps, chosen, strict=True)})
        recipe = read_recipe(tree, known, problems, text=problems.text, file=file)
        choices = {s.where: plain(v) for s, v in zip(sweeps, chosen, strict=True)}
        at = _at(sweeps[0].node) if sweeps else None
        if recipe:
            variants.append(Variant(parsed=recipe, choices=choices, tree=tree, sweep_at=at))
    problems.raise_if_any()
    _refuse_equal(variants, sweeps, problems)
    problems.raise_if_any()
    return tuple(variants)


def _without_misplaced(node: Node, problems: Problems, key: str = "") -> Node:
    """The tree without sweeps outside ``parameters``; those are reported."""
    if key in ("parameters", "tokens"):  # a token may be called `sweep`
        return node
    if isinstance(node, ListNode):
        items = tuple(_without_misplaced(item, problems, "item") for item in node.items)
        return replace(node, items=items)
    if not isinstance(node, MapNode):
        return node
    if key and set(node.entries) == {KEY} and isinstance(node.entries[KEY][1], ListNode):
        hint = "write one value here, and a recipe of its own for every other one"
        problems.add(node, "a sweep is allowed only inside `parameters`", hint)
        return RefusedNode(line=node.line, column=node.column)
    entries = {
        name: (place, _without_misplaced(value, problems, name))
        for name, (place, value) in node.entries.items()
    }
    return replace(node, entries=entries)


def _combinations(
    root: Node, sweeps: Sequence[_Sweep], problems: Problems
) -> Iterable[Sequence[Node]]:
    """Every combination of values; beyond a limit, only enough to check each value once."""
    count = math.prod(len(sweep.values) for sweep in sweeps)
    nodes = _count(root)
    if not sweeps or (count <= MOST_VARIANTS and count * nodes <= MOST_NODES):
        return itertools.product(*(sweep.values for sweep in sweeps))
    if count > MOST_VARIANTS:
        message = f"the sweeps make {count:,} variants; the limit is {MOST_VARIANTS}"
    else:
        message = (
            f"the sweeps make {count} variants of {nodes:,} keys and values, "
            f"{count * nodes:,} in all; the limit is {MOST_NODES:,}"
        )
    hint = "list fewer values: begin with a coarse sweep, then list finer values around its best"
    problems.add(sweeps[0].node, message, hint)
    longest = max(len(sweep.values) for sweep in sweeps)
    checked = min(longest, max(1, MOST_NODES // nodes))
    return ([s.values[turn % len(s.values)] for s in sweeps] for turn in range(checked))


def _count(node: Node) -> int:
    """Keys and values of a variant: of a sweep's values the largest counts."""
    if isinstance(node, ListNode):
        return 1 + sum(map(_count, node.items))
    if not isinstance(node, MapNode):
        return 1
    listed = node.entries[KEY][1] if KEY in node.entries else None
    if isinstance(listed, ListNode):
        return max(map(_count, listed.items), default=1)
    return 1 + sum(1 + _count(value) for _, value in node.entries.values())


def _refuse_equal(
    variants: Sequence[Variant], sweeps: Sequence[_Sweep], problems: Problems
) -> None:
    """Report variants that are written differently but are the same merge."""
    first: dict[str, Variant] = {}
    for variant in variants if sweeps else ():
        twin = first.setdefault(recipe_hash(variant.parsed), variant)
        if twin is not variant:
            message = f"{variant.label} makes the same merge as {twin.label}"
            problems.add(sweeps[0].node, message, "list each value once")


def plain(node: Node) -> Any:
    """A tree as plain data: dicts, lists and values."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value if isinstance(node, ScalarNode) else None


def _hashable(value: Any) -> Hashable:
    """Plain data as a set's element; equal data give equal elements."""
    if isinstance(value, dict):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _find(node: Node, where: str, *, inside: bool) -> Iterator[tuple[str, MapNode]]:
    """Every sweep under a ``parameters`` key, in the order of the file."""
    if isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from _find(item, f"{where}[{index}]", inside=inside)
    if not isinstance(node, MapNode):
        return
    if inside and KEY in node.entries:
        yield where, node
        return
    for key, (_, value) in node.entries.items():
        path = f"{where}.{shorten(key)}" if where else shorten(key)
        yield from _find(value, path, inside=inside or key == "parameters")


def _read_sweep(where: str, node: MapNode, problems: Problems) -> _Sweep:
    values = node.entries[KEY][1]
    items: Sequence[Node] = values.items if isinstance(values, ListNode) else ()
    if not items:
        problems.add(values, "a sweep needs a list of values", "write {sweep: [0.3, 0.5]}")
    usable: list[Node] = []
    seen: set[Hashable] = set()
    for item in items:
        if next(_find(item, "", inside=True), None):
            problems.add(item, "a sweep inside a sweep", "list all values in one sweep")
        elif (value := _hashable(plain(item))) in seen:
            problems.add(item, "a value that this sweep has already", "list each value once")
        else:
            seen.add(value)
            usable.append(item)
    for key, (place, _) in node.entries.items():
        if key != KEY:
            problems.add(
                place,
                f"`{shorten(key)}` beside a sweep",
                "a sweep has no other keys; in a row write {filter: ..., value: {sweep: [...]}}",
            )
    refused = RefusedNode(line=node.line, column=node.column)
    return _Sweep(where=where, node=node, values=tuple(usable) or (refused,))


def _replaced(node: Node, by_place: Mapping[tuple[int, int], Node]) -> Node:
    """The tree with each sweep exchanged for one of its values."""
    if isinstance(node, ListNode):
        return replace(node, items=tuple(_replaced(item, by_place) for item in node.items))
    if not isinstance(node, MapNode):
        return node
    if KEY in node.entries and _at(node) in by_place:
        return by_place[_at(node)]
    entries = {
        key: (name, _replaced(value, by_place)) for key, (name, value) in node.entries.items()
    }
    return replace(node, entries=entries)


def _at(node: Node) -> tuple[int, int]:
    return node.line, node.column


class _CoreDumper(yaml.SafeDumper):
    """Writes texts so that the core schema reads them as texts again."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(plain_value(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_CoreDumper.add_representer(str, _write_text)


def _in_yaml(value: object) -> str:
    """A value as a recipe writes it, on one line."""
    text: str = yaml.dump(
        value, Dumper=_CoreDumper, default_flow_style=True, allow_unicode=True, width=math.inf
    )
    return text.removesuffix("...\n").strip()


def _written(tree: Node) -> str:
    text: str = yaml.dump(plain(tree), Dumper=_CoreDumper, sort_keys=False, allow_unicode=True)
    return text
