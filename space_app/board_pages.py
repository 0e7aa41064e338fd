"""The HTML of the board tab and the model tab, from the shared renderers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from leaderboard.board import Row
from leaderboard.number_format import count_of, moment, points
from leaderboard.record_provenance import LineageNode
from leaderboard.render.board_json import model_id
from leaderboard.render.board_table import empty_html, table_html, visible_rows
from leaderboard.render.escape import html
from leaderboard.render.model_page import Pages, model_html
from leaderboard.render.scatter_plot import scatter_plot
from leaderboard.render.table_controls import controls_html
from leaderboard.render.terminal_table import board_line, notes_line
from space_app.live_board import LONGEST_NAME, Snapshot

SCATTER_ROWS = 400


def address_of(row: Row) -> str:
    """Where a row's page is."""
    return f"?model={model_id(row.key)}"


def board_html(snapshot: Snapshot, *, title: str) -> str:
    """The board tab: what is ranked, controls, the first rows, score against size."""
    board = snapshot.board
    head = f"<h1>{html(title)}</h1>"
    if not snapshot.all_rows:
        empty = empty_html() if snapshot.loaded else ""
        body = f"{head}{banner_html(snapshot)}{empty}"
        return f'<div class="mb mb-page"><div id="lb" data-version="">{body}</div></div>'
    plot = scatter_plot(visible_rows(board)[:SCATTER_ROWS], page_of=address_of)
    return (
        f'<div class="mb mb-page">{head}<p class="mb-lead">{html(board_line(board))}</p>'
        f"{banner_html(snapshot)}"
        f'<div id="lb" data-version="{snapshot.version}">'
        f"{controls_html(board, selectable=True, votes=True)}"
        f"{table_html(board, page_of=address_of, selectable=True)}</div>"
        '<details class="mb-filters"><summary>Score against size</summary>'
        f'<div class="mb-scroll">{plot}</div></details>'
        f'<p class="mb-foot">{html(notes_line(board))} Scores run from 0 to 100; ± is half of a'
        " 95 % interval; differences are paired, item by item.</p></div>"
    )


def banner_html(snapshot: Snapshot) -> str:
    """Says that the data are old, missing or in part unreadable; empty where all is well."""
    lines = []
    if snapshot.problem:
        known = (
            f"Data from {_clock(snapshot.loaded)}; the last refresh failed"
            if snapshot.loaded
            else "The results are out of reach"
        )
        lines.append(f"{known} ({snapshot.problem}). Trying again every minute.")
    elif snapshot.loaded is None:
        lines.append("The results are still being read; open this page again in a moment.")
    if snapshot.skipped:
        lines.append(f"{count_of(len(snapshot.skipped), 'record')} could not be read.")
    if not lines:
        return ""
    return f'<p class="mb-banner" role="status">{html(" ".join(lines))}</p>'


def model_page(snapshot: Snapshot, word: str | None, *, votes: str = "") -> str:
    """The model tab for an id, key or name from an address."""
    if not word:
        return _page("<h1>Model</h1><p>Choose a model above, or open one from the board.</p>")
    row = snapshot.find(word)
    if row is None:
        return _page(_unknown(snapshot, word))
    actions = _actions(row)
    content = model_html(row, snapshot.board, pages=Pages(node=_node_page(snapshot)))
    return _page(actions + content + votes)


def _actions(row: Row) -> str:
    merge = model_id(row.key)
    if row.record is None:
        return ""
    parents = "".join(f"&amp;m={model_id(parent.key)}" for parent in row.record.parents[:3])
    return (
        '<p class="mb-actions">'
        f'<a class="mb-button" href="?tab=compare&amp;m={merge}{parents}">Compare with parents</a>'
        f' <a class="mb-button" href="?tab=chat&amp;model={merge}">Chat</a></p>'
    )


def _unknown(snapshot: Snapshot, word: str) -> str:
    """The page for a word that names no model, or several."""
    if named := snapshot.named(word):
        return _several(word, named)
    similar_names = "".join(
        f'<li><a href="{html(address_of(row))}">{html(name)}</a></li>'
        for name in snapshot.similar_names(word)
        if (row := snapshot.find(name))
    )
    listed = f"<p>Names most like it:</p><ul>{similar_names}</ul>" if similar_names else ""
    return f"<h1>There is no model “{html(word[:LONGEST_NAME])}” on this board</h1>{listed}"


def _several(name: str, rows: tuple[Row, ...]) -> str:
    listed = "".join(
        f'<li><a href="{html(address_of(row))}">{html(row.name)}</a>{html(_described(row))}</li>'
        for row in rows
    )
    return (
        f"<h1>{len(rows)} models are called “{html(name)}”</h1>"
        f"<p>Choose one by its id:</p><ul>{listed}</ul>"
    )


def _described(row: Row) -> str:
    """What tells models of one name apart for a reader."""
    made = f", run of {moment(row.record.created)}" if row.record else ""
    score = f", score {points(row.headline.value)}" if row.headline else ""
    return f": {row.kind}{made}{score}"


def _page(content: str) -> str:
    return f'<div class="mb mb-page">{content}</div>'


def _node_page(snapshot: Snapshot) -> Callable[[LineageNode], str | None]:
    def page_of(node: LineageNode) -> str | None:
        row = snapshot.find(node.id) or snapshot.find(node.name)
        return address_of(row) if row else None

    return page_of


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M UTC")
