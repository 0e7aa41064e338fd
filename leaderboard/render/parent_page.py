"""The page of a model that is only a parent: what its merges recorded of it."""

from __future__ import annotations

from collections.abc import Callable

from leaderboard.board import Board, Row
from leaderboard.number_format import MISSING, parameters, points, rank_range
from leaderboard.render.escape import html, html_link
from leaderboard.render.html_parts import plain_table, score_html, section


def parent_html(row: Row, board: Board, *, page_of: Callable[[Row], str | None]) -> str:
    """The page's content as HTML."""
    parent = row.parent
    kind = "Base model" if row.kind == "base" else "Parent model"
    where = html_link(parent.url, "Model page") if parent and parent.url else ""
    gated = (
        "<p>It is gated: its owner decides who may read it.</p>" if parent and parent.gated else ""
    )
    scores = [
        [html(task.title), f"{task.n:,}", score_html(row.tasks.get(task.task))]
        for task in board.tasks
    ]
    children = [
        found
        for found in board.rows
        if found.record and row.key in {one.key for one in found.record.parents}
    ]
    listed = "".join(f"<li>{_link(child, page_of(child))}</li>" for child in children)
    headline = row.headline
    total = points(headline.value) if headline else MISSING
    return (
        f'<h1 tabindex="-1">{html(row.name)}</h1>'
        f"<p>{kind} · rank {html(rank_range(row.rank_low, row.rank_high))} · score {total}"
        f" · {html(parameters(row.parameters))} parameters"
        f" · {html(row.license or 'license unknown')} {where}</p>{gated}"
        + section(
            "Scores", plain_table(f"Scores on {board.suite}", ["Task", "Items", "Score"], scores)
        )
        + section(
            "Merges made from it", f"<ul>{listed}</ul>" if listed else "<p>None on this board.</p>"
        )
    )


def _link(row: Row, page: str | None) -> str:
    return f'<a href="{html(page)}">{html(row.name)}</a>' if page else html(row.name)
