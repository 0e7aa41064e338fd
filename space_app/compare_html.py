"""The compare tab's page around the shared renderer."""

from __future__ import annotations

from leaderboard.render.board_json import model_id
from leaderboard.render.comparison_page import compare_html, compare_markdown
from leaderboard.render.escape import html
from space_app.live_board import Snapshot
from space_app.model_comparison import ModelComparison, suggestions


def compare_page(snapshot: Snapshot, compared: ModelComparison | None) -> str:
    """The page; what to choose where nothing is compared yet, or why it cannot be."""
    if compared is None:
        return _page(_empty(snapshot))
    if compared.refusal:
        return _page(f'<h1>Compare</h1><p class="mb-banner">{html(compared.refusal)}</p>')
    names = " and ".join(pair.row.name for pair in compared.pairs)
    heading = f"<h1>{html(names)} against {html(compared.pairs[0].baseline.name)}</h1>"
    text = html(compare_markdown(compared.pairs, snapshot.board))
    copy = f'<button type="button" class="mb-button" data-copy="{text}">Copy as Markdown</button>'
    return _page(f"{heading}{compare_html(compared.pairs, snapshot.board)}<p>{copy}</p>")


def _empty(snapshot: Snapshot) -> str:
    pairs = "".join(
        f'<li><a href="?tab=compare&amp;m={model_id(first.key)}&amp;m={model_id(second.key)}">'
        f"{html(second.name)} against {html(first.name)}</a></li>"
        for first, second in suggestions(snapshot.board)
    )
    listed = f"<p>For example:</p><ul>{pairs}</ul>" if pairs else ""
    return f"<h1>Compare</h1><p>Choose a baseline and one to three models.</p>{listed}"


def _page(content: str) -> str:
    return f'<div class="mb mb-page">{content}</div>'
