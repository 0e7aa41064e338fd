"""Tables render from fixed rows, which outlive the process that measured them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import memory, merge, scaling
from benchmarks.__main__ import draw
from benchmarks.measure import Best
from benchmarks.memory import MemoryRow
from benchmarks.merge import MergeRow
from benchmarks.plot import Curve, Panel, Scale, svg
from benchmarks.recipes import CASES
from benchmarks.report import BEGIN, END, Report
from benchmarks.scaling import Point


def best(seconds: float, option: str = "") -> Best:
    return Best(seconds=seconds, anonymous=10**9, resident=2 * 10**9, option=option, runs=3)


LINEAR = MergeRow(ours=best(4.0), theirs=best(20.0, "async"), floor=2.0, start_up=1.0)
TIES = MergeRow(ours=best(5.0), theirs=best(400.0, "default"), floor=2.0, start_up=1.0)
ALONE = MergeRow(ours=best(3.0), theirs=None, floor=1.5, start_up=4.0)


def test_ratios() -> None:
    assert (LINEAR.ratio, LINEAR.over_floor, LINEAR.over_floor_started) == (5.0, 2.0, 1.5)
    assert (ALONE.ratio, ALONE.over_floor, ALONE.over_floor_started) == (None, 2.0, 0.0)


def test_a_table_of_merges() -> None:
    lines = list(merge.table({"ties": TIES, "ramplus": ALONE, "linear": LINEAR}))
    rows = [line for line in lines if re.match(r"\| [a-z]", line)][-3:]
    assert rows[0] == (
        "| linear | 4.00 | 20.00 (async) | 5.0× | 2.00 | 2.0× | 1.00 | 1.5× "
        "| 1.0 GB (2.0 GB) | 1.0 GB (2.0 GB) | 3 : 3 |"
    )
    assert rows[1].startswith("| ties | 5.00 | 400.00 (default) | 80.0× |")
    assert rows[2].startswith("| ramplus | 3.00 | – | – |")
    assert lines[-1].strip() == "Geometric mean of 2 ratios: 20.0×."


def test_rows_survive_and_only_their_place_is_redrawn(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    Report(tmp_path, draw).add("merge 100M", "linear", LINEAR)
    Report(tmp_path, draw).add("merge 100M", "ties", LINEAR)
    report = Report(tmp_path, draw)
    report.add("merge 100M", "ties", TIES)
    assert report.rows("merge 100M", MergeRow) == {"linear": LINEAR, "ties": TIES}
    page = (tmp_path / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "old" not in page
    assert "python -m benchmarks merge --size 100M" in page
    assert re.search(r"Measured \d{4}-\d\d-\d\d, .*, \d+ cores, .*; mergebot .*mergekit", page)


def test_only_missing_rows_are_wanted_where_asked(tmp_path: Path) -> None:
    Report(tmp_path, draw).add("merge 100M", "linear", LINEAR)
    assert Report(tmp_path, draw).wants("merge 100M", "linear")
    report = Report(tmp_path, draw, missing=True)
    assert not report.wants("merge 100M", "linear")
    assert report.wants("merge 100M", "ties")
    assert report.wants("merge 1.1B", "linear")


def test_a_gpus_rows_stand_apart(tmp_path: Path) -> None:
    report = Report(tmp_path, draw)
    report.add(merge.section("100M"), "linear", LINEAR)
    report.add(merge.section("100M", "cuda"), "linear", TIES)
    page = (tmp_path / "README.md").read_text("utf-8")
    assert page.index("parameters, bf16\n") < page.index("parameters, bf16, on cuda\n")
    assert "`python -m benchmarks merge --size 100M --device cuda`" in page
    assert report.rows("merge 100M", MergeRow) == {"linear": LINEAR}


def test_both_tools_are_told_the_device(tmp_path: Path) -> None:
    found = merge.tools(CASES["linear"], tmp_path, True, "cuda")
    (mine,) = found["mergebot"].values()
    assert mine[mine.index("--device") + 1] == "cuda"
    assert "--cuda" in found["mergekit"]["cuda"]
    here = merge.tools(CASES["linear"], tmp_path, True)
    assert list(here["mergekit"]) == ["async", "default"]


def test_memory_is_drawn_with_its_highest_peak(tmp_path: Path) -> None:
    report = Report(tmp_path, memory.draw)
    for method, peak in (("linear", 300_000_000), ("ties", 500_000_000)):
        row = MemoryRow(
            method=method,
            size="3B",
            parent=6 * 10**9,
            limit=1_200_000_000,
            anonymous=peak,
            resident=7 * 10**8,
            seconds=9.0,
        )
        report.add("memory", method, row)
    page = (tmp_path / "README.md").read_text("utf-8")
    assert "| ties | 3B | 6.0 GB | 1.2 GB | 500 MB (700 MB) | 9.00 |" in page
    assert "Highest peak of anonymous memory: 500 MB." in page


def point(axis: str, method: str, x: int, seconds: float) -> Point:
    return Point(axis=axis, method=method, size="100M", x=x, seconds=seconds, runs=3)


def test_scaling_is_a_table_and_a_plot_with_the_peer(tmp_path: Path) -> None:
    report = Report(tmp_path, scaling.draw)
    report.add("merge 1.1B", "ties", TIES)
    for method in scaling.METHODS:
        report.add("scaling", f"p {method}", point("parameters", method, 10**8, 1.0))
        report.add("scaling", f"q {method}", point("parameters", method, 10**9, 5.0))
        report.add("scaling", f"t {method}", point("threads", method, 2, 5.0))
    assert "| threads | ties | 100M | 2 | 5.00 | 3 |" in (tmp_path / "README.md").read_text("utf-8")
    drawn = (tmp_path / "scaling.svg").read_text("utf-8")
    texts = {node.text for node in ET.fromstring(drawn).iter() if node.text}
    assert {"linear", "ties", "ties, mergekit", "threads", "parameters, billions"} <= texts
    assert "prefers-color-scheme" in drawn


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_plot_stays_inside_its_frame(logarithmic: bool) -> None:
    curves = [Curve("<one>", [(1, 0.2), (2, 3.0), (5, 40.0)]), Curve("two", [(3, 7.0)])]
    drawn = ET.fromstring(svg([Panel("x & y", curves, logarithmic)]))
    width, height = map(float, str(drawn.get("viewBox")).split()[2:])
    dots = [(float(n.get("cx", -1)), float(n.get("cy", -1))) for n in drawn.iter() if n.get("cx")]
    assert len(dots) == 4
    assert all(0 < x < width and 0 < y < height for x, y in dots)
    assert dots[0][1] > dots[1][1] > dots[2][1]


def test_ticks_are_round_and_within() -> None:
    assert Scale(0.7, 30, 0, 1, logarithmic=True).ticks() == [1, 2, 5, 10, 20]
    assert Scale(0, 8.4, 0, 1, logarithmic=False).ticks() == [0, 5]
