"""The forest plot: a difference with its interval per line, better to the right of nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leaderboard.number_format import interval, signed
from leaderboard.record_results import Comparison
from leaderboard.render.escape import clean
from leaderboard.render.svg_parts import colour, drawing, element, shortened, text
from leaderboard.verdict_notes import Change, task_changes

ROW, LABEL, PLOT, FIGURES = 30, 170, 300, 170
TOP, BOTTOM = 12, 34


@dataclass(frozen=True, kw_only=True)
class ForestLine:
    """One line; fractions. ``change`` is its colour, ``strong`` marks the overall line."""

    label: str
    delta: float
    low: float
    high: float
    change: Change = "unclear"
    strong: bool = False


def forest_lines(
    comparison: Comparison,
    titles: Mapping[str, str],
    *,
    overall: tuple[float, float] | None = None,
) -> list[ForestLine]:
    """The tasks of a comparison, and all of them together in the last line.

    Args:
        comparison: a model against another one.
        titles: the tasks' titles.
        overall: the ends of the overall interval; the comparison's own where None.
    """
    changes = task_changes(comparison)
    lines = [
        ForestLine(
            label=titles.get(row.task, row.task),
            delta=row.delta,
            low=row.low,
            high=row.high,
            change=changes[row.task],
        )
        for row in comparison.tasks
    ]
    low, high = overall or (comparison.overall.low, comparison.overall.high)
    lines.append(
        ForestLine(
            label="Overall",
            delta=comparison.overall.delta,
            low=low,
            high=high,
            change="better" if low > 0 else "worse" if high < 0 else "unclear",
            strong=True,
        )
    )
    return lines


def forest_plot(lines: Sequence[ForestLine], *, title: str, standalone: bool = False) -> str:
    """The plot as SVG.

    Args:
        lines: top to bottom.
        title: what is compared with what.
        standalone: a file of its own rather than a part of a page.
    """
    reach = _reach(lines)
    height = TOP + ROW * len(lines) + BOTTOM
    body = _axis(reach, height)
    for position, line in enumerate(lines):
        body += _line(line, TOP + ROW * position + ROW / 2, reach)
    described = "; ".join(
        f"{clean(line.label)} {signed(line.delta)} {interval(line.low, line.high)}"
        for line in lines
    )
    return drawing(
        body,
        width=LABEL + PLOT + FIGURES,
        height=height,
        title=title,
        description=f"Differences in points with 95 % intervals. {described}",
        standalone=standalone,
    )


def _reach(lines: Sequence[ForestLine]) -> float:
    """Half of the axis: the next round number of points beyond every interval, as a fraction."""
    widest = max((max(abs(line.low), abs(line.high)) for line in lines), default=0.0)
    points = max(100 * widest, 0.5)
    step = 10.0 ** math.floor(math.log10(points))
    return next(factor * step for factor in (1, 2, 3, 5, 10) if factor * step >= points) / 100


def _x(value: float, reach: float) -> float:
    clipped = min(reach, max(-reach, value))
    return LABEL + PLOT / 2 + clipped / reach * (PLOT / 2 - 12)


def _axis(reach: float, height: float) -> str:
    bottom = height - BOTTOM + 4
    body = ""
    for value in (-reach, -reach / 2, 0.0, reach / 2, reach):
        x = _x(value, reach)
        body += element(
            "line",
            x1=x,
            x2=x,
            y1=TOP,
            y2=bottom,
            stroke=colour("muted" if value == 0 else "line"),
            stroke_width=1.5 if value == 0 else 1,
        )
        body += text(
            signed(value),
            x,
            bottom + 18,
            text_anchor="middle",
            font_size="11",
            fill=colour("muted"),
        )
    return body


def _line(line: ForestLine, y: float, reach: float) -> str:
    tone = colour("muted" if line.change == "unclear" else line.change)
    left, right, middle = _x(line.low, reach), _x(line.high, reach), _x(line.delta, reach)
    weight = "700" if line.strong else "400"
    body = text(shortened(line.label, 24), 4, y + 4, font_weight=weight)
    body += element("line", x1=left, x2=right, y1=y, y2=y, stroke=tone, stroke_width=2)
    for end in (left, right):
        body += element("line", x1=end, x2=end, y1=y - 5, y2=y + 5, stroke=tone, stroke_width=2)
    if line.strong:
        points = f"{middle:.2f},{y - 7:.2f} {middle + 7:.2f},{y:.2f} {middle:.2f},{y + 7:.2f} "
        body += element("polygon", points=points + f"{middle - 7:.2f},{y:.2f}", fill=tone)
    else:
        body += element("circle", cx=middle, cy=y, r=4.5, fill=tone)
    figures = f"{signed(line.delta)} {interval(line.low, line.high)}"
    return body + text(figures, LABEL + PLOT + 8, y + 4, fill=tone, font_weight=weight)
