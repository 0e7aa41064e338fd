"""Items that only one of two models gets right, as a table to count and tables to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from leaderboard.flips import Flips, Item
from leaderboard.render.escape import html
from leaderboard.render.pieces import plain_table
from leaderboard.texts import shortened
from leaderboard.versus import Versus
from leaderboard.wording import MISSING

MOST_SHOWN = 160
RIGHT, WRONG = "✓", "✗"


def flips_html(pair: Versus, titles: Mapping[str, str]) -> str:
    """How many flips each task has, and examples in words where their texts are known."""
    if not pair.flips:
        return ""
    named = [(titles.get(task, task), found) for task, found in pair.flips.items()]
    counts = [[html(title), *_counts(found)] for title, found in named]
    table = plain_table("Items only one of them gets right", ["Task", "Flips", "Items"], counts)
    return table + "".join(_examples(pair, title, found) for title, found in named)


def _counts(flips: Flips) -> Iterator[str]:
    yield f"+{flips.gained:,} / −{flips.lost:,}"
    yield f"gained {_numbers(flips.gained_items)} · lost {_numbers(flips.lost_items)}"


def _numbers(items: Sequence[Item]) -> str:
    return ", ".join(str(item.number) for item in items) or MISSING


def _examples(pair: Versus, title: str, flips: Flips) -> str:
    if not flips.in_words:
        return ""
    rows = [_row(item, gained=True) for item in flips.gained_items]
    rows += [_row(item, gained=False) for item in flips.lost_items]
    headings = ["Item", "Question", "Expected", pair.row.name, pair.baseline.name]
    table = plain_table(f"{title}: the first items of each kind", headings, rows, numeric=False)
    summary = f"{title}: {len(rows)} of {flips.gained + flips.lost:,} flips in words"
    return f"<details><summary>{html(summary)}</summary>{table}</details>"


def _row(item: Item, *, gained: bool) -> list[str]:
    if item.words is None:
        return [str(item.number), *[MISSING] * 4]
    ours, theirs = (RIGHT, WRONG) if gained else (WRONG, RIGHT)
    return [
        str(item.number),
        _text(item.words.question),
        _text(item.words.expected),
        _answer(ours, item.words.ours),
        _answer(theirs, item.words.theirs),
    ]


def _answer(sign: str, text: str) -> str:
    told, colour = ("right", "better") if sign == RIGHT else ("wrong", "worse")
    mark = f'<span class="mb-{colour}" aria-hidden="true">{sign}</span>'
    return f'{mark}<span class="mb-hidden">{told}:</span> {_text(text)}'


def _text(text: str) -> str:
    """A stranger's text on one line, with its own direction of writing; a dash for nothing."""
    line = " ↵ ".join(line.strip() for line in text.splitlines() if line.strip())
    return f'<bdi class="mb-words">{html(shortened(line, MOST_SHOWN))}</bdi>' if line else MISSING
