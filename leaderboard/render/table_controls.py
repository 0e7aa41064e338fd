"""Search, chips, folded filters and column choice; the script brings them to life."""

from __future__ import annotations

from collections.abc import Iterable

from leaderboard.board import Board
from leaderboard.render.board_json import PROVISIONAL, verdict_looks
from leaderboard.render.board_table import COLUMNS, count_line, visible_rows
from leaderboard.render.escape import html

CHIPS = (
    ("", "All"),
    ("merge", "Merges"),
    ("parent", "Parents"),
    ("better", "▲ better than parents"),
)
MORE_COLUMNS = (("parents", "Parents"), ("memory", "Memory"), ("created", "Date"))
VOTES = ("votes", "Votes")


def controls_html(
    board: Board,
    *,
    csv_address: str | None = None,
    selectable: bool = False,
    votes: bool = False,
) -> str:
    """Everything between the title and the table, count line included.

    Args:
        board: what is shown.
        csv_address: where the whole table is, as a file.
        selectable: whether rows can be chosen for a comparison.
        votes: whether people vote here, so that there is a column to choose.
    """
    return _search() + _chips(board) + _filters(board, votes) + _bar(board, csv_address, selectable)


def _search() -> str:
    return (
        '<label class="mb-hidden" for="mb-search">Search</label>'
        '<input class="mb-search" id="mb-search" type="search" data-filter="q" autocomplete="off"'
        ' placeholder="Search name, method, parent, license…  ( / )">'
    )


def _chips(board: Board) -> str:
    chips = "".join(
        f'<button type="button" class="mb-chip" data-chip="kind" data-value="{value}"'
        f' aria-pressed="{"false" if value else "true"}">{html(name)}</button>'
        for value, name in CHIPS
    )
    hidden = len(board.rows) + len(board.unranked) - len(visible_rows(board))
    if hidden:
        chips += (
            '<button type="button" class="mb-chip" data-chip="hidden" data-value="1"'
            f' aria-pressed="false">show {hidden:,} failed or flagged</button>'
        )
    return f'<div class="mb-chips" role="group" aria-label="Quick filters">{chips}</div>'


def _filters(board: Board, votes: bool) -> str:
    rows = (*board.rows, *board.unranked)
    looks = [*verdict_looks(), PROVISIONAL]
    verdicts = [(slug, f"{symbol} {words}") for words, symbol, slug in looks]
    fields = "".join(
        (
            _choice("method", "Method", _words(row.method for row in rows)),
            _choice("base", "Base model", _words(row.base for row in rows)),
            _choice("license", "License", _words(row.license for row in rows)),
            _choice("verdict", "Verdict", verdicts),
            _number("min", "Parameters from (millions)"),
            _number("max", "Parameters up to (millions)"),
            _number("memory", "Fits in memory (GB)"),
            '<label>Since<input type="date" data-filter="since"></label>',
        )
    )
    return (
        '<details class="mb-filters"><summary>Filters and columns</summary>'
        f'<fieldset class="mb-fields"><legend class="mb-hidden">Filters</legend>{fields}</fieldset>'
        f"{_columns(board, votes)}</details>"
    )


def _columns(board: Board, votes: bool) -> str:
    shown = [(key, name, True) for key, name, _ in COLUMNS if key not in {"rank", "name"}]
    asked = [VOTES] if votes else []
    more = [*MORE_COLUMNS, *asked, *((f"task:{task.task}", task.title) for task in board.tasks)]
    boxes = "".join(
        f'<label><input type="checkbox" data-toggle="{html(key)}"{" checked" if on else ""}>'
        f"{html(name)}</label>"
        for key, name, on in [*shown, *((key, name, False) for key, name in more)]
    )
    return f'<fieldset class="mb-columns"><legend>Columns</legend>{boxes}</fieldset>'


def _bar(board: Board, csv_address: str | None, selectable: bool) -> str:
    actions = (
        '<button type="button" class="mb-button" data-action="clear" hidden>Clear filters</button>'
        '<button type="button" class="mb-button" data-action="link">Copy link</button>'
        '<button type="button" class="mb-button" data-action="csv">CSV of this view</button>'
    )
    if selectable:
        actions += (
            '<button type="button" class="mb-button" data-action="compare" disabled>'
            "Compare 0</button>"
        )
    if csv_address:
        actions += f'<a class="mb-button" href="{html(csv_address)}" download>All data (CSV)</a>'
    return (
        f'<div class="mb-bar"><p aria-live="polite" id="mb-count">{html(count_line(board))}</p>'
        f'<div class="mb-actions">{actions}</div></div>'
    )


def _choice(key: str, name: str, options: Iterable[tuple[str, str]]) -> str:
    listed = "".join(
        f'<option value="{html(value)}">{html(text)}</option>' for value, text in options
    )
    chosen = f'<option value="">any</option>{listed}'
    return f'<label>{name}<select data-filter="{key}">{chosen}</select></label>'


def _number(key: str, name: str) -> str:
    return f'<label>{name}<input type="number" min="0" step="any" data-filter="{key}"></label>'


def _words(values: Iterable[str | None]) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted({value for value in values if value})]
