"""The pieces that pages are put together from."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.number_format import MISSING, half_width, points
from leaderboard.record_results import Headline, Score
from leaderboard.render.escape import html


def plain_table(
    caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = True
) -> str:
    """A small table of ready HTML cells; the first cell of a row is its heading."""
    kind = ' class="mb-number"' if numeric else ""
    head = f'<th scope="col">{html(headings[0])}</th>' + "".join(
        f'<th scope="col"{kind}>{html(heading)}</th>' for heading in headings[1:]
    )
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="mb-scroll" tabindex="0" role="region" aria-label="{html(caption)}">'
        f'<table class="mb-table"><caption>{html(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def section(title: str, body: str) -> str:
    """A part of a page; the body is ready HTML."""
    return f'<section class="mb-section"><h2>{html(title)}</h2>{body}</section>'


def code(text: str) -> str:
    """Text to copy, as it is."""
    return f'<pre class="mb-code" tabindex="0"><code>{html(text)}</code></pre>'


def score_html(score: Score | Headline | None) -> str:
    """A score with half the width of its interval."""
    if score is None:
        return MISSING
    width = half_width(score.low, score.high)
    return f'{points(score.value)} <span class="mb-interval">{width}</span>'
