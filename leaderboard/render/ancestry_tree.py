"""Walking a family tree from a model up to its ancestors, and the tree in words.

A model that is an ancestor by several ways is listed each time, but its own ancestors only once:
a tree of repeated crossings would otherwise grow without bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from leaderboard.record_provenance import Lineage, LineageNode
from leaderboard.render.escape import html, html_link, markdown, markdown_link, mermaid

PageOf = Callable[[LineageNode], str | None]
"""The board's own page of a model, None where it has none."""

MAX_MERMAID = 15


class Step(NamedTuple):
    """A model met on the way up; ``label`` tells how it was used by the one below it."""

    node: LineageNode
    label: str
    depth: int


def no_page(_node: LineageNode) -> str | None:
    """Where there are no pages to link to."""
    return None


def roots(lineage: Lineage, name: str) -> list[LineageNode]:
    """The model itself; where the graph does not name it, whatever nothing was made from."""
    selves = [node for node in lineage.nodes if name in {node.name, node.id}]
    if selves:
        return selves[:1]
    sources = {edge.source for edge in lineage.edges}
    return [node for node in lineage.nodes if node.id not in sources] or list(lineage.nodes[:1])


def ancestry(lineage: Lineage, name: str) -> Iterator[Step]:
    """The model and its ancestors, each before what it was made from."""
    nodes = {node.id: node for node in lineage.nodes}
    parents: dict[str, list[tuple[str, str]]] = {}
    for edge in lineage.edges:
        if edge.source in nodes:
            parents.setdefault(edge.target, []).append((edge.source, edge.label))
    expanded: set[str] = set()
    waiting = [Step(root, "", 0) for root in reversed(roots(lineage, name))]
    while waiting:
        step = waiting.pop()
        yield step
        if step.node.id not in expanded:
            expanded.add(step.node.id)
            above = parents.get(step.node.id, [])
            waiting += [Step(nodes[key], label, step.depth + 1) for key, label in reversed(above)]


def lineage_list(lineage: Lineage, name: str, *, page_of: PageOf = no_page) -> str:
    """The family tree as a nested HTML list: each model, and below it what it was made from."""
    parts, depth = [], -1
    for step in ancestry(lineage, name):
        if step.depth > depth:
            parts.append("<ul>" if depth >= 0 else '<ul class="mb-lineage">')
        else:
            parts.append("</li>" + "</ul></li>" * (depth - step.depth))
        depth = step.depth
        parts.append(f"<li>{_html_item(step, page_of)}")
    return "".join(parts) + "</li></ul>" * (depth + 1)


def lineage_markdown(lineage: Lineage, name: str) -> str:
    """The family tree as a nested Markdown list."""
    lines = []
    for node, label, depth in ancestry(lineage, name):
        used = f" ({markdown(label)})" if label else ""
        shown = f"{markdown_link(node.url, node.name)}{used}, {markdown(facts(node))}"
        lines.append(f"{'  ' * depth}- {shown}")
    return "\n".join(lines)


def lineage_mermaid(lineage: Lineage) -> str | None:
    """A flat Mermaid flow chart, None where it would be too large to read."""
    if not 0 < len(lineage.nodes) <= MAX_MERMAID:
        return None
    ids = {node.id: f"n{position}" for position, node in enumerate(lineage.nodes)}
    lines = ["flowchart TB"]
    lines += [f'  {ids[node.id]}["{mermaid(node.name)}"]' for node in lineage.nodes]
    for edge in lineage.edges:
        if edge.source in ids and edge.target in ids:
            label = f'|"{mermaid(edge.label)}"|' if edge.label else ""
            lines.append(f"  {ids[edge.source]} -->{label} {ids[edge.target]}")
    return "\n".join(lines)


def facts(node: LineageNode) -> str:
    """``finetune, apache-2.0``, and whether anything but the name was found."""
    parts = [node.relation, node.license or "license unknown"]
    return ", ".join(parts if node.known else [*parts, "not found"])


def _html_item(step: Step, page_of: PageOf) -> str:
    page = page_of(step.node)
    name = html(step.node.name)
    shown = (
        f'<a href="{html(page)}">{name}</a>' if page else html_link(step.node.url, step.node.name)
    )
    used = f' <span class="mb-weight">{html(step.label)}</span>' if step.label else ""
    return f'{shown}{used} <span class="mb-muted">{html(facts(step.node))}</span>'
