"""The family tree above a merge, and what it inherits from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import cast

import yaml

from bot.lineage.resolved_parent import ResolvedParent
from bot.recipe.recipe_lock import LockedCard
from leaderboard.record import Flag, Lineage, LineageEdge, LineageNode, Relation

GENERATIONS = 6
NODES = 120

CardOf = Callable[[str], LockedCard | None]
"""Looks up the card of a Hub model; None when it cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Ancestry:
    """One parent's part in the merge: where it came from and the label on its edge."""

    parent: ResolvedParent
    key: str
    label: str = ""
    is_base: bool = False


def no_cards(model: str) -> LockedCard | None:
    """Know nothing about any Hub model: the tree ends at what the parents' own cards name."""
    del model
    return None


def family_tree(
    merge: str,
    name: str,
    parents: Sequence[Ancestry],
    card_of: CardOf = no_cards,
    license: str | None = None,
) -> Lineage:
    """The tree from the merge up through its parents' ``base_model`` chains.

    Args:
        merge: id of the merge's own node.
        name: the merge's name.
        parents: its parents in recipe order.
        card_of: looks up cards of further ancestors, for as many as ``GENERATIONS`` generations.
        license: the merge's own.
    """
    nodes = {merge: LineageNode.fitted(id=merge, name=name, relation="merge", license=license)}
    edges: dict[tuple[str, str], LineageEdge] = {}
    frontier: list[tuple[str, LockedCard]] = []
    for part in parents:
        node = _parent_node(part)
        nodes.setdefault(node.id, node)
        label = "base" if part.is_base else part.label
        edges[node.id, merge] = LineageEdge.fitted(source=node.id, target=merge, label=label)
        frontier.append((node.id, part.parent.card))
    for _ in range(GENERATIONS):
        frontier = _climb(frontier, nodes, edges, card_of)
    return Lineage(nodes=tuple(nodes.values()), edges=tuple(edges.values()))


def ancestor_cards(
    cards: Mapping[str, LockedCard], card_of: CardOf = no_cards
) -> Mapping[str, LockedCard | None]:
    """The cards of the models that parents were made from, None for those that cannot be read.

    Args:
        cards: the parents' own, by Hub id; parents are no ancestors.
        card_of: looks up the others, for as many as ``GENERATIONS`` generations.
    """
    found: dict[str, LockedCard | None] = {}
    frontier = list(cards.values())
    for _ in range(GENERATIONS):
        named = dict.fromkeys(model for card in frontier for model in card.base_model)
        fresh = [model for model in named if model not in found and model not in cards]
        found |= {model: card_of(model) for model in fresh[: NODES - len(found)]}
        frontier = [card for model in fresh if (card := found.get(model)) is not None]
    return found


def _parent_node(part: Ancestry) -> LineageNode:
    parent = part.parent
    return LineageNode.fitted(
        id=parent.ref.path if parent.kind == "hub" else parent.ref.name,
        name=parent.ref.name,
        relation=relation_of(parent.card, is_base=part.is_base),
        license=parent.card.license_name or parent.card.license,
        url=parent.url,
    )


def _climb(
    frontier: Sequence[tuple[str, LockedCard]],
    nodes: dict[str, LineageNode],
    edges: dict[tuple[str, str], LineageEdge],
    card_of: CardOf,
) -> list[tuple[str, LockedCard]]:
    """Add one generation of ancestors; returns those whose own cards were found."""
    found: list[tuple[str, LockedCard]] = []
    for child, card in frontier:
        for ancestor in card.base_model:
            if len(nodes) >= NODES or ancestor == child:
                continue
            edges.setdefault((ancestor, child), LineageEdge.fitted(source=ancestor, target=child))
            if ancestor in nodes:
                continue
            facts = card_of(ancestor)
            nodes[ancestor] = LineageNode.fitted(
                id=ancestor,
                name=ancestor.rstrip("/").rpartition("/")[2],
                relation=relation_of(facts) if facts else "unknown",
                license=(facts.license_name or facts.license) if facts else None,
                known=facts is not None,
            )
            if facts:
                found.append((ancestor, facts))
    return found


def relation_of(card: LockedCard, *, is_base: bool = False) -> Relation:
    """What a model is to its own base, by its card; the Hub infers a merge from two bases."""
    said = card.base_model_relation
    if said in ("adapter", "merge", "quantized", "finetune"):
        return cast("Relation", said)
    if len(card.base_model) > 1:
        return "merge"
    if card.base_model:
        return "finetune"
    return "base" if is_base else "unknown"


def flagged_models() -> tuple[Flag, ...]:
    """The maintained list of models whose descendants carry a visible flag."""
    text = resources.files("bot.lineage").joinpath("flagged.yaml").read_text("utf-8")
    listed = yaml.safe_load(text)
    return tuple(Flag(source=model, **entry) for model, entry in listed.items())
