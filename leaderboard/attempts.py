"""How many merges were tried over the same parents: each once, whatever became of it.

An empty file ``<family>/<merge key>`` says that a merge was begun. It is there before the first
byte of weights, so an attempt counts that fails, is killed, or loses against the other variants of
its sweep; and it has the merge's own name, so what is tried again counts no second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from leaderboard.atomic_write import sync_folder
from leaderboard.record import Record

Tried = Mapping[str, frozenset[str]]
"""Family -> keys of its merges."""


def note_tried(folder: Path, family: str, merge_keys: Iterable[str]) -> None:
    """Remember merges that are about to be made."""
    place = folder / family
    place.mkdir(parents=True, exist_ok=True)
    for key in merge_keys:
        (place / key).touch()
    sync_folder(place)


def read_tried(folder: Path) -> Tried:
    """Every merge that was remembered."""
    return {
        place.name: frozenset(path.name for path in place.iterdir())
        for place in folder.glob("*")
        if place.is_dir()
    }


def attempts_by_family(tried: Tried, records: Iterable[Record]) -> Mapping[str, int]:
    """How often each family of parents was tried, of the families that have remembered merges.

    A record whose merge is not remembered comes from elsewhere; its own count says what was tried
    there, and the remembered merges were tried here.
    """
    elsewhere: Counter[str] = Counter()
    for record in records:
        told = record.attempts
        if told is not None and record.merge_key not in tried.get(told.family, ()):
            elsewhere[told.family] = max(elsewhere[told.family], told.count)
    return {family: elsewhere[family] + len(keys) for family, keys in tried.items()}
