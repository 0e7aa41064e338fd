"""Items: right answers by an independent rule, disjoint splits, repeatable draws."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from generate import SEEDS, items_of, write_split
from skill_items import SKILLS, draw_distinct, split_of

SPLITS = ("search", "report")


def _count_up(digits: str) -> str:
    """Schoolbook increment, digit by digit from the right."""
    out = list(digits)
    for place in reversed(range(len(out))):
        if out[place] != "9":
            out[place] = chr(ord(out[place]) + 1)
            return "".join(out)
        out[place] = "0"
    return "1" + "".join(out)


def _insertion_sort(word: str) -> str:
    out: list[str] = []
    for letter in word:
        out.insert(sum(other <= letter for other in out), letter)
    return "".join(out)


ORACLES: dict[str, Callable[[str], str]] = {
    "reverse": lambda word: "".join(word[-1 - n] for n in range(len(word))),
    "sort": _insertion_sort,
    "shift": lambda word: "".join("a" if c == "z" else chr(ord(c) + 1) for c in word),
    "double": lambda word: "".join(word[n // 2] for n in range(2 * len(word))),
    "increment": _count_up,
    "most": lambda word: Counter(word).most_common(1)[0][0],
}


def _rows(folder: Path, skill: str, split: str) -> list[dict[str, Any]]:
    text = (folder / "data" / f"{skill}.{split}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_skill_has_an_oracle() -> None:
    assert set(ORACLES) == set(SKILLS)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("skill", sorted(SKILLS))
def test_committed_rows_are_right(family_folder: Path, skill: str, split: str) -> None:
    rows = _rows(family_folder, skill, split)
    assert len(rows) >= 500
    assert len({row["id"] for row in rows}) == len({row["prompt"] for row in rows}) == len(rows)
    for row in rows:
        name, _, asked = row["prompt"].removesuffix("=").partition(" ")
        assert (name, row["skill"], row["split"]) == (skill, skill, split)
        assert row["prompt"].endswith("=")
        assert row["answer"] == ORACLES[skill](asked)


@pytest.mark.parametrize("split", SPLITS)
def test_choices_hold_one_winner(family_folder: Path, split: str) -> None:
    for row in _rows(family_folder, "most", split):
        letters = row["prompt"].removeprefix("most ").removesuffix("=")
        (_, first), (_, second), *_ = Counter(letters).most_common()
        assert first > second
        assert sorted(set(letters)) == row["choices"]


def test_splits_are_disjoint(family_folder: Path) -> None:
    for skill in SKILLS:
        search, report = ({r["prompt"] for r in _rows(family_folder, skill, s)} for s in SPLITS)
        trained = {i.prompt for i in draw_distinct(skill, "train", 2000, random.Random(3))}
        assert not search & report
        assert not trained & (search | report)
        assert {split_of(p) for p in search} == {"search"}
        assert {split_of(p) for p in report} == {"report"}


def test_a_seed_decides_every_item() -> None:
    for skill in SKILLS:
        assert items_of(skill, "search", 5, 50) == items_of(skill, "search", 5, 50)
        assert items_of(skill, "search", 5, 50) != items_of(skill, "search", 6, 50)


def test_generator_writes_the_committed_files(family_folder: Path, tmp_path: Path) -> None:
    for split, seed in SEEDS.items():
        write_split(split, seed, tmp_path)
    written = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(written) == 4 * len(SKILLS)
    for path in written:
        assert (tmp_path / path).read_bytes() == (family_folder / path).read_bytes(), path
