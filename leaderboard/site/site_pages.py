"""The pages of the static board."""

from __future__ import annotations

from leaderboard.board import Board, Row
from leaderboard.render.board_json import model_id
from leaderboard.render.board_table import empty_html, table_html, visible_rows
from leaderboard.render.escape import html
from leaderboard.render.scatter_plot import scatter_plot
from leaderboard.render.table_controls import controls_html
from leaderboard.render.terminal_table import board_line, notes_line
from leaderboard.static import SCRIPTS

SCATTER_ROWS = 400


def board_page(board: Board, *, title: str, version: str) -> str:
    """The first page: what is ranked, search and filters, the table, score against size."""
    if not (board.rows or board.unranked):
        return _page(title, f"<h1>{html(title)}</h1>{empty_html()}", version=version, root="")
    plot = scatter_plot(visible_rows(board)[:SCATTER_ROWS], page_of=page_of)
    body = (
        f'<h1 tabindex="-1">{html(title)}</h1><p class="mb-lead">{html(board_line(board))}</p>'
        f'<div id="lb">{controls_html(board, csv_address="leaderboard.csv")}'
        f"{table_html(board, page_of=page_of)}</div>"
        '<details class="mb-filters"><summary>Score against size</summary>'
        '<div class="mb-scroll mb-wide">'
        f"{plot}</div></details>"
        f'<footer class="mb-foot">{html(notes_line(board))} Scores run from 0 to 100; ± is half of'
        " a 95 % interval; differences are paired, item by item.</footer>"
    )
    names = ("data.js", *(path.name for path in SCRIPTS))
    scripts = "".join(f'<script src="static/{name}?{version}"></script>' for name in names)
    return _page(title, body, version=version, root="", scripts=scripts + _start(version))


def model_page(name: str, content: str, *, title: str, version: str) -> str:
    """One model's page; the content is ready HTML."""
    back = f'<p><a href="../index.html">← {html(title)}</a></p>'
    return _page(f"{name} · {title}", f"{back}{content}", version=version, root="../")


def page_of(row: Row) -> str:
    """Where a row's page is, seen from the first page."""
    return f"models/{model_id(row.key)}.html"


def _start(version: str) -> str:
    return (
        "<script>mergebot.mount(document.getElementById('lb'),{data:mergebot.data,"
        "pageOf:id=>'models/'+id+'.html',loadExtra:()=>new Promise((done,fail)=>{"
        "const s=document.createElement('script');"
        f"s.src='static/extra.js?{version}';s.onload=()=>done(mergebot.extra);s.onerror=fail;"
        "document.head.append(s);})});</script>"
    )


def _page(title: str, body: str, *, version: str, root: str, scripts: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html(title)}</title>"
        '<meta name="referrer" content="no-referrer">'
        '<link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{root}static/board.css?{version}"></head>'
        '<body class="mb"><a class="mb-skip" href="#main">Skip to content</a>'
        f'<main id="main">{body}</main>{scripts}</body></html>\n'
    )
