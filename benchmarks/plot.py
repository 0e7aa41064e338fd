"""A row of small line plots as one SVG that is readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 270, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 24, 46
STYLE = (
    "svg{color-scheme:light dark;font:11px system-ui,sans-serif;--ink:#1f2328;--faint:#8b949e66}"
    "@media (prefers-color-scheme:dark){svg{--ink:#e6edf3}}"
    "text{fill:var(--ink)}.grid{stroke:var(--faint)}.line{fill:none;stroke-width:2}"
    ".c0{stroke:#0969da}.c1{stroke:#bf5700}.c2{stroke:#57a0f0;stroke-dasharray:4 3}"
    ".c3{stroke:#e0904a;stroke-dasharray:4 3}.dot{fill:var(--ink);stroke:none}"
)


@dataclass(frozen=True)
class Curve:
    """A named line through ``(x, seconds)`` points, by rising x."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One small plot; both its axes are logarithmic, or neither is."""

    label: str
    curves: Sequence[Curve]
    logarithmic: bool = False


@dataclass(frozen=True)
class Scale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """The pixel of a value."""
        low, high, value = (
            (math.log(edge) if self.logarithmic else edge) for edge in (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values: powers of ten with their halves and fifths, or multiples of one step."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [unit * 10.0**power for power in decades for unit in (1, 2, 5)]
            return [value for value in found if self.low <= value <= self.high]
        step = _round_up(max(self.high, 1e-9) / 4)
        return [step * count for count in range(math.floor(self.high / step + 1e-9) + 1)]


def svg(panels: Sequence[Panel]) -> str:
    """The panels side by side, with a legend under them."""
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    width, height = WIDTH * len(panels), HEIGHT + 22
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"',
        f' width="{width}" height="{height}"><title>Seconds of a merge</title>',
        f"<style>{STYLE}</style>",
    ]
    for index, panel in enumerate(panels):
        parts += [f'<g transform="translate({index * WIDTH} 0)">', *_panel(panel, names), "</g>"]
    for index, name in enumerate(names):
        x = LEFT + 150 * index
        parts.append(f'<path class="line c{index % 4}" d="M{x} {HEIGHT + 8}h18"/>')
        parts.append(f'<text x="{x + 23}" y="{HEIGHT + 12}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, names: Sequence[str]) -> Iterator[str]:
    x_scale, y_scale = _scales(panel)
    middle, floor = (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM
    for value in y_scale.ticks():
        y = y_scale.at(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for value in sorted({x for curve in panel.curves for x, _ in curve.points}):
        x = x_scale.at(value)
        yield f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{value:.2g}</text>'
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(panel.label)}</text>'
    yield f'<text x="{LEFT - 40}" y="13">seconds</text>'
    for curve in panel.curves:
        at = [(x_scale.at(x), y_scale.at(y)) for x, y in curve.points]
        colour = names.index(curve.name) % 4
        yield f'<path class="line c{colour}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in at)}"/>'
        yield from (f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>' for x, y in at)


def _scales(panel: Panel) -> tuple[Scale, Scale]:
    xs = [x for curve in panel.curves for x, _ in curve.points]
    ys = [y for curve in panel.curves for _, y in curve.points]
    low = min(ys) / 1.3 if panel.logarithmic else 0.0
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    return (
        Scale(min(xs), max(xs), LEFT + 12, right - 12, panel.logarithmic),
        Scale(low, max(ys) * 1.1, bottom, TOP, panel.logarithmic),
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(unit * power for unit in (1, 2, 5, 10) if unit * power >= value * 0.999999)
