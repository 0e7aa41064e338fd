"""Where the boxes of a family tree go: layers by longest path, order by barycentres.

Sugiyama's method without its last step: every model lies right of everything it was made from;
a few sweeps order each layer by the mean position of its neighbours. Ties fall to the id, so the
same graph is always drawn the same way. Edges that would close a circle are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

SWEEPS = 4


def layered(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The nodes in layers, ancestors first, each layer in drawing order.

    An edge that skips layers passes a `joint` in each of them, so that it goes around boxes.
    """
    parents = _acyclic_parents(nodes, edges)
    depth = _depths(parents)
    parents = _with_joints(parents, depth)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in sorted(depth):
        layers[depth[node]].append(node)
    children: dict[str, list[str]] = {node: [] for node in parents}
    for node, above in parents.items():
        for parent in above:
            children[parent].append(node)
    for sweep in range(SWEEPS):
        neighbours = parents if sweep % 2 == 0 else children
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _order(layer, neighbours, _places(layers))
    return layers


def _acyclic_parents(
    nodes: Sequence[str], edges: Iterable[tuple[str, str]]
) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in sorted(set(edges)):
        if source in parents and target in parents and not _reaches(source, target, parents):
            parents[target].append(source)
    return parents


def _reaches(node: str, ancestor: str, parents: Mapping[str, Collection[str]]) -> bool:
    """Whether ``ancestor`` is ``node`` or above it."""
    waiting, seen = [node], {node}
    while waiting:
        current = waiting.pop()
        if current == ancestor:
            return True
        fresh = set(parents[current]) - seen
        seen |= fresh
        waiting.extend(fresh)
    return False


def _depths(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The longest way down to each node."""
    depth: dict[str, int] = {}
    while len(depth) < len(parents):
        for node, above in parents.items():
            if node not in depth and all(parent in depth for parent in above):
                depth[node] = 1 + max((depth[parent] for parent in above), default=-1)
    return depth


def joint(source: str, target: str, layer: int) -> str:
    """The name of the place where a long edge passes a layer; no model has such a name."""
    return f"\0{source}\0{target}\0{layer}"


def _with_joints(
    parents: Mapping[str, Sequence[str]], depth: dict[str, int]
) -> dict[str, list[str]]:
    """The same graph with every edge cut into steps of one layer; joints get their depths."""
    cut: dict[str, list[str]] = {node: [] for node in parents}
    for target, above in parents.items():
        for source in above:
            last = source
            for layer in range(depth[source] + 1, depth[target]):
                passing = joint(source, target, layer)
                depth[passing] = layer
                cut[passing] = [last]
                last = passing
            cut[target].append(last)
    return cut


def _places(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Each node's height, the middle of its layer at 0."""
    return {
        node: position - (len(layer) - 1) / 2
        for layer in layers
        for position, node in enumerate(layer)
    }


def _order(
    layer: list[str], neighbours: Mapping[str, Sequence[str]], places: Mapping[str, float]
) -> None:
    def barycentre(node: str) -> tuple[float, str]:
        around = neighbours[node]
        mean = sum(places[other] for other in around) / len(around) if around else places[node]
        return round(mean, 9), node

    layer.sort(key=barycentre)
