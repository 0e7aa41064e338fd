"""``python -m benchmarks scaling``: time against parameters, models and threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from benchmarks.checkpoints import MODELS, build, parameters
from benchmarks.measure import Best, take_turns
from benchmarks.merge import MergeRow, section
from benchmarks.plot import Curve, Panel, svg
from benchmarks.recipes import CASES, Case
from benchmarks.report import Report
from benchmarks.report import replace as write

METHODS = ("linear", "ties")
COMMAND = str(Path(sys.executable).parent / "mergebot")
AXES = {
    "parameters": "parameters, billions",
    "models": "fine-tunes",
    "threads": "threads",
}
UNITS = {"parameters": 1e9}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One merge on one curve: ``x`` is the number of parameters, models or threads."""

    axis: str
    method: str
    size: str
    x: int
    seconds: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Which sizes, numbers of fine-tunes and numbers of threads are measured, and at which size."""

    sizes: Sequence[str] = ("20M", "100M", "1.1B")
    models: Sequence[int] = (2, 3, 5)
    models_at: str = "100M"
    threads: Sequence[int] = (1, 2)
    threads_at: str = "1.1B"


def measure(
    report: Report, data: Path, ranges: Ranges, repeats: int, patience: float
) -> Iterator[str]:
    """Measure every point; yields a line for each."""
    for case in (CASES[method] for method in METHODS):
        for axis, size, x in _wanted(ranges):
            name = f"{axis} {case.method} {size} {x}"
            if not report.wants("scaling", name):
                continue
            models = x if axis == "models" else 2
            threads = ["--threads", str(x)] if axis == "threads" else []
            best = _time(case, build(data, size, models), models, threads, repeats, patience)
            point = Point(
                axis=axis,
                method=case.method,
                size=size,
                x=x,
                seconds=best.seconds,
                runs=best.runs,
            )
            report.add("scaling", name, point)
            yield _line(point)


def draw(report: Report) -> Iterator[str]:
    """The plot, as a file beside the page, and the table."""
    points = list(report.rows("scaling", Point).values())
    if not points:
        return
    write(report.home / "scaling.svg", svg(panels(points, peer_points(report))))
    yield from ("## Scaling", "")
    yield from (f"Measured {place}." for place in report.places("scaling"))
    yield from ("Repeat with `python -m benchmarks scaling`.", "")
    yield from ("![Seconds against parameters, fine-tunes and threads](scaling.svg)", "")
    yield from ("| against | method | size | x | s | runs |", "|---|---|---|---:|---:|---:|")
    yield from map(_line, sorted(points, key=_order))
    yield ""


def panels(points: Sequence[Point], peers: Sequence[Point]) -> list[Panel]:
    """One panel for each axis, one curve for each method and, where known, for the peer's."""
    found = []
    for axis, of_axis in groupby(sorted(points, key=_order), key=lambda point: point.axis):
        curves = [_curve(name, group) for name, group in groupby(of_axis, lambda one: one.method)]
        if axis == "parameters":
            ordered = sorted(peers, key=_order)
            grouped = groupby(ordered, lambda one: one.method)
            curves += [_curve(f"{name}, mergekit", group) for name, group in grouped]
        found.append(Panel(AXES[axis], curves, logarithmic=axis == "parameters"))
    return found


def peer_points(report: Report) -> list[Point]:
    """What the tables of merges say of the peer, as points of the first curve."""
    return [
        Point(
            axis="parameters",
            method=method,
            size=size,
            x=parameters(size),
            seconds=row.theirs.seconds,
            runs=row.theirs.runs,
        )
        for size in Ranges().sizes
        for method, row in report.rows(section(size), MergeRow).items()
        if method in METHODS and row.theirs
    ]


def _wanted(ranges: Ranges) -> Iterator[tuple[str, str, int]]:
    yield from (("parameters", size, parameters(size)) for size in ranges.sizes)
    yield from (("models", ranges.models_at, count) for count in ranges.models)
    yield from (("threads", ranges.threads_at, count) for count in ranges.threads)


def _time(
    case: Case, folder: Path, models: int, options: Sequence[str], repeats: int, patience: float
) -> Best:
    wider = replace(case, label=f"{case.method}-{models}", models=MODELS[1 : models + 1])
    command = [COMMAND, "merge", str(wider.write(folder)), str(folder / "out"), "-q", *options]
    return take_turns({"mergebot": {"": command}}, folder / "out", repeats, patience)["mergebot"]


def _curve(name: str, points: Iterator[Point]) -> Curve:
    return Curve(name, [(point.x / UNITS.get(point.axis, 1), point.seconds) for point in points])


def _order(point: Point) -> tuple[int, str, int]:
    return list(AXES).index(point.axis), point.method, point.x


def _line(point: Point) -> str:
    cells = [point.axis, point.method, point.size, f"{point.x:,}", f"{point.seconds:.2f}"]
    return "| " + " | ".join([*cells, str(point.runs)]) + " |"
