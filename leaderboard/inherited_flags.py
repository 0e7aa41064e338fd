"""What a model inherits: warnings on its ancestors follow it down the family tree."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from leaderboard.record import Record
from leaderboard.record_provenance import Flag


def inherited_flags(
    record: Record, by_digest: Mapping[str, Record], known: Sequence[Flag] = ()
) -> tuple[Flag, ...]:
    """The record's own flags, those of its ancestors on the board, and of ancestors known bad.

    Args:
        record: the model that inherits.
        by_digest: the board's records by model digest, to walk from a parent to its own record.
        known: warnings on models outside the board; ``source`` is their name or lineage id.

    Returns:
        Every warning once, each with its path from the source to this model.
    """
    found = list(record.flags)
    found += _from_records(record, by_digest, (record.name,), {record.model_digest})
    found += _from_lineage(record, known)
    unique = {(flag.kind, flag.source, flag.reason): flag for flag in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda flag: (flag.kind, flag.source, flag.reason)))


def _from_records(
    record: Record,
    by_digest: Mapping[str, Record],
    path: tuple[str, ...],
    seen: set[str | None],
) -> Iterable[Flag]:
    for parent in record.parents:
        ancestor = by_digest.get(parent.key)
        if ancestor is None or parent.key in seen:
            continue
        below = (ancestor.name, *path)
        for flag in ancestor.flags:
            own_path = flag.path[:-1] if flag.path[-1:] == (ancestor.name,) else flag.path
            yield flag.model_copy(update={"path": (*own_path, *below)})
        yield from _from_records(ancestor, by_digest, below, seen | {parent.key})


def _from_lineage(record: Record, known: Sequence[Flag]) -> Iterable[Flag]:
    names = {node.id: node.name for node in record.lineage.nodes}
    children: dict[str, list[str]] = {}
    for edge in record.lineage.edges:
        children.setdefault(edge.source, []).append(edge.target)
    targets = {node for node, name in names.items() if name == record.name}
    for flag in known:
        for node, name in names.items():
            if flag.source in {node, name}:
                steps = _shortest_way(node, targets, children)
                path = tuple(names.get(step, step) for step in steps) or (name, record.name)
                yield flag.model_copy(update={"path": path})


def _shortest_way(
    start: str, targets: set[str], children: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The way down from a node to any target, empty where there is none."""
    ways: deque[tuple[str, ...]] = deque([(start,)])
    seen = {start}
    while ways:
        way = ways.popleft()
        if way[-1] in targets:
            return way
        for child in children.get(way[-1], ()):
            if child not in seen:
                seen.add(child)
                ways.append((*way, child))
    return ()
