"""The family tree: as far up as cards are found, never in circles."""

from __future__ import annotations

from bot.checkpoint.memory_checkpoint import MemorySource
from bot.lineage.ancestry import NODES, Ancestry, family_tree, flagged_models, relation_of
from bot.lineage.resolved_parent import ResolvedParent
from bot.recipe.recipe import ModelRef
from bot.recipe.recipe_lock import LockedCard
from leaderboard.inherited_flags import inherited_flags
from leaderboard.record import Flag
from tests.leaderboard.samples import record_of


def parent(path: str, *bases: str, is_base: bool = False) -> Ancestry:
    origin = ResolvedParent(
        ref=ModelRef(path=path),
        kind="hub",
        pin="0" * 40,
        digest=path,
        source=MemorySource({}),
        folder=None,
        card=LockedCard(license="mit", base_model=bases),
    )
    return Ancestry(parent=origin, key=path, label="0.5", is_base=is_base)


def test_the_tree_climbs_through_the_cards_of_ancestors() -> None:
    cards = {
        "org/tuned-base": LockedCard(license="apache-2.0", base_model=("org/root",)),
        "org/root": LockedCard(license="mit"),
    }
    tree = family_tree("m", "merge", [parent("org/a", "org/tuned-base")], cards.get)
    edges = {(edge.source, edge.target) for edge in tree.edges}
    assert edges == {("org/a", "m"), ("org/tuned-base", "org/a"), ("org/root", "org/tuned-base")}
    assert {node.id: node.known for node in tree.nodes}["org/root"]


def test_an_ancestor_nobody_knows_is_drawn_as_unknown() -> None:
    tree = family_tree("m", "merge", [parent("org/a", "gone/model")])
    unknown = next(node for node in tree.nodes if node.id == "gone/model")
    assert not unknown.known


def test_circles_and_diamonds_end() -> None:
    cards = {"x/a": LockedCard(base_model=("x/b",)), "x/b": LockedCard(base_model=("x/a", "x/b"))}
    tree = family_tree("m", "merge", [parent("x/a", "x/b"), parent("x/c", "x/b")], cards.get)
    assert sorted(node.id for node in tree.nodes) == ["m", "x/a", "x/b", "x/c"]


def test_a_card_with_a_thousand_parents_is_cut() -> None:
    many = [f"org/model-{index}" for index in range(1000)]
    tree = family_tree(
        "m", "merge", [parent("org/a", *many[:99])], lambda _: LockedCard(base_model=tuple(many))
    )
    assert len(tree.nodes) <= NODES


def test_the_base_of_a_recipe_is_told_from_its_models() -> None:
    assert relation_of(LockedCard(), is_base=True) == "base"
    assert relation_of(LockedCard(base_model=("a",))) == "finetune"
    assert relation_of(LockedCard(base_model=("a", "b"))) == "merge"
    assert (
        relation_of(LockedCard(base_model=("a",), base_model_relation="quantized")) == "quantized"
    )


def test_every_listed_flag_has_evidence() -> None:
    listed = flagged_models()
    assert listed
    assert all(flag.url and flag.url.startswith("https://") for flag in listed)


def test_a_flag_comes_down_the_whole_tree() -> None:
    cards = {"org/middle": LockedCard(base_model=("bad/model",))}
    tree = family_tree("m", "merge", [parent("org/a", "org/middle")], cards.get)
    record = record_of().model_copy(update={"lineage": tree, "name": "merge"})
    flag = Flag(kind="contamination", source="bad/model", reason="test items")
    (found,) = inherited_flags(record, {}, [flag])
    assert found.path == ("model", "middle", "a", "merge")
