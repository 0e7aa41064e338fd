from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.build_board import build_board
from leaderboard.record_provenance import Lineage, LineageEdge, LineageNode
from leaderboard.render.ancestry_tree import lineage_list, lineage_mermaid
from leaderboard.render.forest_plot import ForestLine, forest_plot
from leaderboard.render.graph_layout import layered
from leaderboard.render.lineage_svg import BOX_HEIGHT, BOX_WIDTH, license_class, lineage_svg
from leaderboard.render.scatter_plot import scatter_plot
from leaderboard.render.svg_parts import PALETTE
from tests.leaderboard.markup import accessibility_faults, parse, svg_elements
from tests.leaderboard.samples import record_of


def family(*edges: tuple[str, str], extra: tuple[str, ...] = ()) -> Lineage:
    names = dict.fromkeys([name for edge in edges for name in edge] + list(extra))
    return Lineage(
        nodes=tuple(LineageNode(id=name, name=name) for name in names),
        edges=tuple(LineageEdge(source=a, target=b) for a, b in edges),
    )


FAMILIES = {
    "alone": family(extra=("m",)),
    "one": family(("a", "m")),
    "two": family(("a", "m"), ("b", "m")),
    "twelve": family(*((f"p{i}", "m") for i in range(12))),
    "diamond": family(("root", "a"), ("root", "b"), ("a", "m"), ("b", "m"), ("root", "m")),
    "circle": family(("a", "b"), ("b", "a"), ("a", "m")),
    "child": family(("a", "m"), ("m", "quantized")),
}


def boxes(svg: str) -> list[tuple[float, float]]:
    return [
        (float(found.attrib["x"]), float(found.attrib["y"]))
        for found in svg_elements(svg)
        if found.tag.endswith("rect") and found.attrib["width"] == str(BOX_WIDTH)
    ]


@pytest.mark.parametrize("lineage", FAMILIES.values(), ids=FAMILIES)
def test_boxes_do_not_overlap_and_edges_run_left_to_right(lineage: Lineage) -> None:
    svg = lineage_svg(lineage, "m")
    places = boxes(svg)
    assert len(places) == len(lineage.nodes)
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[:i]:
            assert abs(x - other_x) >= BOX_WIDTH or abs(y - other_y) >= BOX_HEIGHT
    for path in re.findall(r'd="M([\d.]+) .*? ([\d.]+) [\d.]+"', svg):
        assert float(path[0]) < float(path[1])
    assert not accessibility_faults(svg)
    assert lineage_svg(lineage, "m") == svg


@pytest.mark.parametrize("lineage", FAMILIES.values(), ids=FAMILIES)
def test_the_list_names_every_ancestor(lineage: Lineage) -> None:
    tree = parse(lineage_list(lineage, "m"))
    listed = {node.words.split()[0] for node in tree.all("li")}
    assert listed == {node.name for node in lineage.nodes} - {"quantized"}


def test_a_long_edge_goes_around_the_box_between() -> None:
    layers = layered(["a", "b", "m"], [("a", "b"), ("b", "m"), ("a", "m")])
    assert [len(layer) for layer in layers] == [1, 2, 1]


def test_crossings_are_taken_out() -> None:
    edges = [("a", "z"), ("b", "y"), ("c", "x"), ("x", "m"), ("y", "m"), ("z", "m")]
    layers = layered([*"abcxyz", "m"], edges)
    first, second = layers[0], layers[1]
    pairs = sorted((first.index(a), second.index(b)) for a, b in edges[:3])
    assert [b for _, b in pairs] == sorted(b for _, b in pairs)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_any_graph_is_layered_with_parents_first(pairs: list[tuple[int, int]]) -> None:
    edges = [(f"n{a}", f"n{b}") for a, b in pairs]
    layers = layered([f"n{i}" for i in range(10)], edges)
    depth = {name: i for i, layer in enumerate(layers) for name in layer}
    assert sorted(name for name in depth if "\0" not in name) == [f"n{i}" for i in range(10)]
    assert layered([f"n{i}" for i in range(10)], list(reversed(edges))) == layers


def test_a_ladder_of_diamonds_stays_small() -> None:
    rungs = [
        edge
        for i in range(40)
        for edge in (
            (f"r{i}", f"a{i}"),
            (f"r{i}", f"b{i}"),
            (f"a{i}", f"r{i + 1}"),
            (f"b{i}", f"r{i + 1}"),
        )
    ]
    lineage = family(*rungs)
    assert len(lineage_list(lineage, "r40")) < 60_000
    svg = lineage_svg(lineage, "r40")
    assert "+61 more" in svg
    assert lineage_mermaid(lineage) is None


def test_the_forest_plot_draws_its_numbers() -> None:
    lines = [
        ForestLine(label="gain", delta=0.02, low=0.01, high=0.03),
        ForestLine(label="loss", delta=-0.01, low=-0.03, high=-0.004),
        ForestLine(label="all", delta=0.0, low=-0.01, high=0.01, strong=True),
    ]
    svg = forest_plot(lines, title="t")
    centres = [float(e.attrib["cx"]) for e in svg_elements(svg) if e.tag.endswith("circle")]
    zero = 170 + 150
    assert (centres[0] - zero) / (zero - centres[1]) == pytest.approx(2, abs=0.01)
    for words in ("+2.0 [1.0, 3.0]", "−1.0 [−3.0, −0.4]", "0.0 [−1.0, 1.0]"):
        assert words in svg
    assert not accessibility_faults(svg)


def test_the_scatter_plot_has_a_point_a_model_of_known_size() -> None:
    board = build_board([record_of("good"), record_of("bad", (0.3, 0.3, 0.3))])
    svg = scatter_plot(board.rows, page_of=lambda row: f"models/{row.name}.html")
    points = [e for e in svg_elements(svg) if e.tag.endswith("circle")]
    assert len(points) == 4
    assert 'href="models/good.html"' in svg
    assert not accessibility_faults(svg)
    assert scatter_plot([]).startswith("<svg")


@pytest.mark.parametrize(
    ("license", "kind"),
    [
        ("apache-2.0", "permissive"),
        ("MIT", "permissive"),
        ("cc-by-nc-4.0", "restricted"),
        ("llama3.1", "conditional"),
        (None, "unknown"),
        ("other", "unknown"),
    ],
)
def test_licenses_have_four_kinds(license: str, kind: str) -> None:
    assert license_class(license) == kind


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "better", "worse", "link", "warn"])
@pytest.mark.parametrize("ground", ["page", "card"])
def test_text_colours_reach_the_contrast_of_wcag(theme: int, name: str, ground: str) -> None:
    pair = sorted(luminance(PALETTE[key][theme]) for key in (name, ground))
    assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5
