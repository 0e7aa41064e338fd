"""The board as an accessible HTML table; the script in ``static/board.js`` draws the same rows."""

from __future__ import annotations

from collections.abc import Callable

from leaderboard.board import Board, Row
from leaderboard.number_format import (
    MISSING,
    count_of,
    half_width,
    interval,
    parameters,
    points,
    rank_range,
    signed,
)
from leaderboard.render.board_json import model_id
from leaderboard.render.escape import html
from leaderboard.verdict import FLAG_SYMBOL

FIRST_ROWS = 50
COLUMNS = (
    ("rank", "Rank", True),
    ("name", "Model", False),
    ("score", "Score", True),
    ("delta", "vs best parent", True),
    ("method", "Method", False),
    ("params", "Size", True),
    ("license", "License", False),
)
"""Key, heading, and whether it holds numbers, of the columns shown at first."""

PageOf = Callable[[Row], str]


def table_html(
    board: Board, *, page_of: PageOf, limit: int = FIRST_ROWS, selectable: bool = False
) -> str:
    """The table with its first rows.

    Args:
        board: what to show.
        page_of: the address of a row's model page.
        limit: how many rows; the script adds more on demand.
        selectable: a first column of check boxes, to choose models for a comparison.
    """
    head = "".join(_heading(key, name, numeric=numeric) for key, name, numeric in COLUMNS)
    if selectable:
        head = '<th scope="col"><span class="mb-hidden">Compare</span></th>' + head
    body = "".join(
        row_html(row, page_of(row), selectable=selectable) for row in visible_rows(board)[:limit]
    )
    caption = f"Models ranked by {html(board.title or 'score')}, best first"
    return (
        '<div class="mb-scroll" tabindex="0" role="region" aria-label="Ranking">'
        f'<table class="mb-table" id="mb-table"><caption class="mb-hidden">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def visible_rows(board: Board) -> list[Row]:
    """The rows shown before anyone asks for more: those without a warning."""
    return [row for row in board.rows if not row.flags]


def row_html(row: Row, page: str, *, selectable: bool = False) -> str:
    """One row; the name is its heading."""
    cells = [
        f'<td class="mb-number">{html(rank_range(row.rank_low, row.rank_high))}</td>',
        f'<th scope="row"><a href="{html(page)}">{html(row.name)}</a>{_badges(row)}</th>',
        f'<td class="mb-number">{_score(row)}</td>',
        f'<td class="mb-number">{delta_html(row)}</td>',
        f"<td>{html(row.method or MISSING)}</td>",
        f'<td class="mb-number">{html(parameters(row.parameters))}</td>',
        f"<td>{html(row.license or MISSING)}</td>",
    ]
    if selectable:
        label = html(f"Compare {row.name}")
        cells.insert(0, f'<td><input type="checkbox" aria-label="{label}"></td>')
    return f'<tr data-id="{model_id(row.key)}">{"".join(cells)}</tr>'


def delta_html(row: Row) -> str:
    """Symbol, words and numbers of the verdict; never colour alone."""
    if row.judgement is None:
        return f'<span class="mb-muted">{"base" if row.kind == "base" else "parent"}</span>'
    said = html(row.judgement.words)
    words = f'<span class="mb-hidden">{said}</span>'
    shown = f'<span title="{said}" aria-hidden="true">{row.judgement.symbol}</span>{words}'
    if row.judgement.delta is not None:
        span = interval(row.judgement.low, row.judgement.high)
        shown += f' {signed(row.judgement.delta)} <span class="mb-interval">{html(span)}</span>'
    return f'<span class="mb-{row.judgement.slug}">{shown}</span>{_holds(row)}'


def count_line(board: Board) -> str:
    """What a screen reader hears after every change of filters."""
    everything = count_of(len(board.rows) + len(board.unranked), "model")
    return f"Showing {len(visible_rows(board)):,} of {everything}, sorted by Score"


def empty_html() -> str:
    """What stands where the table would."""
    return (
        '<p class="mb-empty">No evaluated models yet. Run a recipe with '
        "<code>mergebot run RECIPE</code> and build the board again.</p>"
    )


def _heading(key: str, name: str, *, numeric: bool) -> str:
    order = "descending" if key == "score" else "none"
    kind = ' class="mb-number"' if numeric else ""
    return (
        f'<th scope="col" aria-sort="{order}"{kind} data-column="{key}">'
        f'<button type="button">{html(name)}</button></th>'
    )


def _badges(row: Row) -> str:
    parts = ""
    if row.kind != "merge":
        parts += (
            f' <span class="mb-badge">{html("base" if row.kind == "base" else "parent")}</span>'
        )
    if row.flags:
        reasons = html("; ".join(flag.reason for flag in row.flags))
        parts += f' <span class="mb-flag" title="{reasons}">{FLAG_SYMBOL} flagged</span>'
    return parts


def _score(row: Row) -> str:
    if row.headline is None:
        return MISSING
    width = html(half_width(row.headline.low, row.headline.high))
    return f'{points(row.headline.value)} <span class="mb-interval">{width}</span>'


def _holds(row: Row) -> str:
    told = "holds after correction for all attempts"
    return (
        f' <span class="mb-holds" title="{told}">✓<span class="mb-hidden"> {told}</span></span>'
        if row.holds
        else ""
    )
