"""Items that only one of two models gets right, as a table to count and tables to read."""

from __future__ import annotations

from collections.abc import Mapping

from leaderboard.compare_rows import RowComparison
from leaderboard.flips import Flips, Item, Words
from leaderboard.item_texts import shortened
from leaderboard.number_format import MISSING, count_of
from leaderboard.render.escape import html
from leaderboard.render.html_parts import plain_table

MOST_SHOWN = 160
RIGHT, WRONG = "✓", "✗"


def flips_html(pair: RowComparison, titles: Mapping[str, str]) -> str:
    """How many flips each task has, and the first of them in words where their texts are known."""
    if not pair.flips:
        return ""
    named = [(titles.get(task, task), found) for task, found in pair.flips.items()]
    counts = [[html(title), f"+{found.gained:,} / −{found.lost:,}"] for title, found in named]
    headings = ["Task", "Flips"]
    if not any(found.in_words for _, found in named):
        headings.append("First items")
        for row, (_, found) in zip(counts, named, strict=True):
            row.append(_numbers(found))
    table = plain_table("Items only one of them gets right", headings, counts)
    return table + "".join(_examples(pair, title, found) for title, found in named)


def _numbers(flips: Flips) -> str:
    kinds = (flips.gained_items, flips.lost_items)
    gained, lost = (", ".join(str(item.number) for item in kind) or MISSING for kind in kinds)
    return f"gained {gained} · lost {lost}"


def _examples(pair: RowComparison, title: str, flips: Flips) -> str:
    if not flips.in_words:
        return ""
    rows = [
        _row(item, words, gained=gained)
        for items, gained in ((flips.gained_items, True), (flips.lost_items, False))
        for item in items
        if (words := item.words)
    ]
    headings = ["Item", "Expected", pair.row.name, pair.baseline.name]
    table = plain_table(f"{title}: the first items of each kind", headings, rows, numeric=False)
    summary = f"{title}: {len(rows)} of {count_of(flips.gained + flips.lost, 'flip')}"
    return f"<details><summary>{html(summary)}</summary>{table}</details>"


def _row(item: Item, words: Words, *, gained: bool) -> list[str]:
    ours, theirs = (RIGHT, WRONG) if gained else (WRONG, RIGHT)
    return [
        f'<span class="mb-muted">#{item.number}</span> {_text(words.question)}',
        _text(words.expected),
        _answer(ours, words.ours),
        _answer(theirs, words.theirs),
    ]


def _answer(sign: str, text: str) -> str:
    told, colour = ("right", "better") if sign == RIGHT else ("wrong", "worse")
    mark = f'<span class="mb-{colour}" aria-hidden="true">{sign}</span>'
    return f'{mark}<span class="mb-hidden">{told}:</span> {_text(text)}'


def _text(text: str) -> str:
    """A stranger's text on one line, with its own direction of writing; a dash for nothing."""
    line = " ↵ ".join(line.strip() for line in text.splitlines() if line.strip())
    return f'<bdi class="mb-words">{html(shortened(line, MOST_SHOWN))}</bdi>' if line else MISSING
