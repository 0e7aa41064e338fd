"""Score against size: one point a model, the best of each size joined by a line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from leaderboard.board import Row
from leaderboard.number_format import parameters, points
from leaderboard.render.escape import html
from leaderboard.render.svg_parts import colour, drawing, element, link, shortened, text

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 48, 20, 16, 40
LABELS = 8
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 100.0)


def scatter_plot(
    rows: Sequence[Row],
    *,
    page_of: Callable[[Row], str | None] = lambda _row: None,
    standalone: bool = False,
) -> str:
    """The plot as SVG; parents are hollow, merges filled, models of unknown size left out.

    Args:
        rows: ranked rows, best first.
        page_of: where a point leads to.
        standalone: a file of its own rather than a part of a page.
    """
    shown = [
        (row, row.parameters, row.headline.value) for row in rows if row.parameters and row.headline
    ]
    sizes = [math.log10(size) for _, size, _ in shown if size] or [0.0]
    values = [value for _, _, value in shown] or [0.0]
    x_of = _scale(min(sizes) - 0.15, max(sizes) + 0.15, LEFT, WIDTH - RIGHT)
    ticks = _score_ticks(values)
    y_of = _scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    body = _axes(sizes, ticks, x_of, y_of)
    places = [(row, x_of(math.log10(size)), y_of(value)) for row, size, value in shown if size]
    body += _frontier(places)
    for row, x, y in reversed(places):
        body += link(page_of(row), _point(row, x, y), local=True)
    for row, x, y in _best_of_sizes(places)[:LABELS]:
        side = "end" if x > WIDTH * 0.7 else "start"
        offset = -9 if side == "end" else 9
        body += text(shortened(row.name, 24), x + offset, y - 7, font_size="11", text_anchor=side)
    return drawing(
        body,
        width=WIDTH,
        height=HEIGHT,
        title="Score against size",
        description=f"{len(places)} models; the table holds the same numbers.",
        standalone=standalone,
    )


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _score_ticks(values: Sequence[float]) -> list[float]:
    """Round scores from below the lowest to above the highest, five steps at most."""
    low, high = min(values) - 0.005, max(values) + 0.005
    step = next(size for size in STEPS if math.ceil(high / size) - math.floor(low / size) <= 5)
    return [step * count for count in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _axes(
    sizes: Sequence[float],
    scores: Sequence[float],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
) -> str:
    body = ""
    for value in scores:
        y = y_of(value)
        body += element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, stroke=colour("line"))
        body += text(points(value), LEFT - 8, y + 4, text_anchor="end", **_small())
    for exponent in _ticks(min(sizes) - 0.15, max(sizes) + 0.15):
        label = parameters(round(10**exponent))
        body += text(label, x_of(exponent), HEIGHT - 20, text_anchor="middle", **_small())
    return body + text("parameters", WIDTH - RIGHT, HEIGHT - 4, text_anchor="end", **_small())


def _ticks(low: float, high: float) -> list[float]:
    steps = [
        exponent + math.log10(factor)
        for exponent in range(math.floor(low), math.ceil(high) + 1)
        for factor in (1, 2, 5)
    ]
    inside = [step for step in steps if low <= step <= high]
    return inside[:: max(1, len(inside) // 6)] or [(low + high) / 2]


def _small() -> dict[str, str]:
    return {"font_size": "11", "fill": colour("muted")}


def _point(row: Row, x: float, y: float) -> str:
    merge = row.kind == "merge"
    tone = colour("better" if row.holds else "link" if merge else "muted")
    told = element("title", _told(row))
    return element(
        "circle",
        told,
        cx=x,
        cy=y,
        r=5.5,
        fill=tone if merge else colour("page"),
        stroke=tone,
        stroke_width=1.75,
    )


def _told(row: Row) -> str:
    value = row.headline.value if row.headline else None
    return html(f"{row.name}: {points(value)}, {parameters(row.parameters)}")


def _best_of_sizes(places: Sequence[tuple[Row, float, float]]) -> list[tuple[Row, float, float]]:
    """The models that no smaller or equally large one beats, from small to large."""
    best: list[tuple[Row, float, float]] = []
    for place in sorted(places, key=lambda found: (found[1], found[2])):
        if not best or place[2] < best[-1][2]:
            best.append(place)
    return best


def _frontier(places: Sequence[tuple[Row, float, float]]) -> str:
    best = _best_of_sizes(places)
    if len(best) < 2:
        return ""
    path = f"M{best[0][1]:.2f} {best[0][2]:.2f}"
    path += "".join(f"H{x:.2f}V{y:.2f}" for _, x, y in best[1:])
    return element("path", d=path, fill="none", stroke=colour("better"), stroke_dasharray="5 4")
