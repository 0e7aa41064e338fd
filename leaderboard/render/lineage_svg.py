"""The family tree of a model as a drawing, ancestors to the left."""

from __future__ import annotations

from collections.abc import Mapping

from leaderboard.record_provenance import Lineage, LineageNode
from leaderboard.render.ancestry_tree import PageOf, no_page, roots
from leaderboard.render.graph_layout import joint, layered
from leaderboard.render.svg_parts import colour, drawing, element, link, shortened, text

BOX_WIDTH, BOX_HEIGHT = 168, 44
GAP_X, GAP_Y, EDGE = 84, 18, 14
MAX_NODES = 60
Place = tuple[float, float]
"""The upper left corner of a box."""

PERMISSIVE = ("apache", "mit", "bsd", "cc0", "cc-by-4", "unlicense", "isc")
RESTRICTED = ("cc-by-nc", "non-commercial", "noncommercial", "-nc")


def license_class(license: str | None) -> str:
    """``permissive``, ``restricted``, ``conditional`` or ``unknown``."""
    name = (license or "").lower()
    if not name or name in {"unknown", "other"}:
        return "unknown"
    if any(mark in name for mark in RESTRICTED):
        return "restricted"
    return "permissive" if name.startswith(PERMISSIVE) else "conditional"


def lineage_svg(
    lineage: Lineage, name: str, *, page_of: PageOf = no_page, standalone: bool = False
) -> str:
    """The family tree from left to right, ancestors first.

    Args:
        lineage: the models and what was made from what.
        name: the model it is about; its box stands out.
        page_of: where a box leads to.
        standalone: a file of its own rather than a part of a page.
    """
    nodes, hidden = _nearest(lineage, name)
    layers = layered(list(nodes), [(edge.source, edge.target) for edge in lineage.edges])
    places = _places(layers)
    tallest = max((len(layer) for layer in layers), default=1)
    width = 2 * EDGE + len(layers) * (BOX_WIDTH + GAP_X) - GAP_X
    height = 2 * EDGE + tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y + (22 if hidden else 0)
    body = "".join(
        _edge(_way(edge.source, edge.target, places), edge.label)
        for edge in sorted(lineage.edges, key=lambda edge: (edge.source, edge.target))
        if edge.source in nodes
        and edge.target in nodes
        and places[edge.source][0] < places[edge.target][0]
    )
    for node_id, node in nodes.items():
        body += _box(node, *places[node_id], is_self=node.name == name, page_of=page_of)
    if hidden:
        body += text(f"+{hidden} more", EDGE, height - 10, fill=colour("muted"), font_size="12")
    return drawing(
        body,
        width=max(width, 2 * EDGE + BOX_WIDTH),
        height=height,
        title=f"Family tree of {name}",
        description=_described(lineage, name),
        standalone=standalone,
    )


def _nearest(lineage: Lineage, name: str) -> tuple[dict[str, LineageNode], int]:
    """The nodes to draw, those nearest to the model first, and how many are left out."""
    nodes = {node.id: node for node in lineage.nodes}
    reached = [node.id for node in roots(lineage, name)]
    around: dict[str, list[str]] = {node_id: [] for node_id in nodes}
    for edge in lineage.edges:
        if edge.source in nodes and edge.target in nodes:
            around[edge.source].append(edge.target)
            around[edge.target].append(edge.source)
    for node_id in reached:
        reached += [other for other in dict.fromkeys(around[node_id]) if other not in reached]
    reached += [node_id for node_id in nodes if node_id not in reached]
    return {node_id: nodes[node_id] for node_id in reached[:MAX_NODES]}, len(reached[MAX_NODES:])


def _places(layers: list[list[str]]) -> dict[str, Place]:
    tallest = max((len(layer) for layer in layers), default=1)
    return {
        node: (
            EDGE + column * (BOX_WIDTH + GAP_X),
            EDGE + (row + (tallest - len(layer)) / 2) * (BOX_HEIGHT + GAP_Y),
        )
        for column, layer in enumerate(layers)
        for row, node in enumerate(layer)
    }


def _way(source: str, target: str, places: Mapping[str, Place]) -> list[Place]:
    """The boxes and joints an edge runs through."""
    first = round((places[source][0] - EDGE) / (BOX_WIDTH + GAP_X))
    last = round((places[target][0] - EDGE) / (BOX_WIDTH + GAP_X))
    joints = [joint(source, target, layer) for layer in range(first + 1, last)]
    return [places[name] for name in (source, *joints, target)]


def _edge(way: list[Place], label: str) -> str:
    """A curve from box to box; at a joint it runs straight where a box would be."""
    middle = BOX_HEIGHT / 2
    x, y = way[0][0] + BOX_WIDTH, way[0][1] + middle
    path = f"M{x:.2f} {y:.2f}"
    for place in way[1:]:
        x2, y2 = place[0], place[1] + middle
        bend = (x2 - x) / 2
        path += f"C{x + bend:.2f} {y:.2f} {x2 - bend:.2f} {y2:.2f} {x2:.2f} {y2:.2f}"
        if place is not way[-1]:
            path += f"H{x2 + BOX_WIDTH:.2f}"
            x, y = x2 + BOX_WIDTH, y2
    body = element("path", d=path, fill="none", stroke=colour("muted"), stroke_width=1.5)
    if label:
        body += text(
            shortened(label, 12),
            x + 6,
            y + 14 if y2 < y else y - 5,
            font_size="11",
            fill=colour("muted"),
            stroke=colour("page"),
            stroke_width=3,
            paint_order="stroke",
        )
    return body


def _box(node: LineageNode, x: float, y: float, *, is_self: bool, page_of: PageOf) -> str:
    tones: Mapping[str, str] = {
        "permissive": colour("better"),
        "restricted": colour("worse"),
        "conditional": colour("warn"),
        "unknown": colour("muted"),
    }
    body = element(
        "rect",
        x=x,
        y=y,
        width=BOX_WIDTH,
        height=BOX_HEIGHT,
        rx=8,
        fill=colour("card"),
        stroke=colour("link" if is_self else "line"),
        stroke_width=2 if is_self else 1.25,
        stroke_dasharray=None if node.known else "4 3",
    )
    weight = "700" if is_self else "500"
    body += text(shortened(node.name, 22), x + 10, y + 18, font_size="12.5", font_weight=weight)
    body += element("circle", cx=x + 14, cy=y + 31.5, r=4, fill=tones[license_class(node.license)])
    body += text(
        shortened(f"{node.license or 'license unknown'} · {node.relation}", 23),
        x + 23,
        y + 35.5,
        font_size="11",
        fill=colour("muted"),
    )
    page = page_of(node)
    return link(page, body, local=True) if page else link(node.url, body)


def _described(lineage: Lineage, name: str) -> str:
    names = {node.id: node.name for node in lineage.nodes}
    made = [
        f"{names[edge.source]} into {names[edge.target]}"
        + (f" ({edge.label})" if edge.label else "")
        for edge in lineage.edges
        if edge.source in names and edge.target in names
    ]
    return f"{len(names)} models. " + "; ".join(made[:40]) if made else f"Only {name} is known."
