"""The license table, case by case, and what must hold for every combination."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import LicenseError
from bot.lineage.license import (
    COMMUNITY,
    COPYLEFT,
    NO_DERIVATIVES,
    NONCOMMERCIAL,
    PERMISSIVE,
    RAIL,
    Declared,
    Family,
    decide,
    duties_of,
    family,
    licenses_of,
)
from bot.lineage.model_card import render_card
from bot.lineage.publish_policy import require_publishable
from leaderboard.record import License
from tests.leaderboard.samples import record_of

KNOWN = (*PERMISSIVE, *COPYLEFT, *RAIL, *COMMUNITY, *NONCOMMERCIAL, *NO_DERIVATIVES)


def parents(*ids: str | None) -> list[Declared]:
    return [Declared(model=f"org/model-{index}", id=name) for index, name in enumerate(ids)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["apache-2.0", "apache-2.0"], "apache-2.0"),
        (["mit", "apache-2.0"], "apache-2.0"),
        (["cc0-1.0", "mit"], "mit"),
        (["apache-2.0", "llama3.1"], "llama3.1"),
        (["gemma", "mit", "gemma"], "gemma"),
        (["mit", "gpl-3.0"], "gpl-3.0"),
        (["gpl-3.0", "agpl-3.0"], "agpl-3.0"),
        (["apache-2.0", "cc-by-nc-4.0"], "cc-by-nc-4.0"),
        (["cc-by-nc-4.0", "cc-by-nc-sa-4.0"], "cc-by-nc-sa-4.0"),
        (["openrail", "mit"], "openrail"),
    ],
)
def test_one_license_governs(ids: list[str], expected: str) -> None:
    decision = decide(parents(*ids))
    assert decision.publishable
    assert decision.id == expected


def test_two_sets_of_terms_stand_side_by_side() -> None:
    decision = decide(parents("llama3.1", "cc-by-nc-4.0"))
    assert decision.publishable
    assert decision.id == "other"
    assert decision.name == "llama3.1 AND cc-by-nc-4.0"


@pytest.mark.parametrize(
    ("ids", "word"),
    [
        ([None, "mit"], "unknown"),
        (["my-own", "mit"], "my-own"),
        (["cc-by-nc-nd-4.0", "mit"], "derivatives"),
        (["gpl-3.0", "llama3.1"], "copyleft"),
        (["gpl-2.0", "gpl-3.0"], "copyleft"),
        (["gpl-2.0", "apache-2.0"], "incompatible"),
        (["llama2", "gemma"], "llama2"),
        (["other"], "license_name"),
    ],
)
def test_a_conflict_names_the_parent_that_causes_it(ids: list[str | None], word: str) -> None:
    decision = decide(parents(*ids))
    assert not decision.publishable
    assert any(word in conflict for conflict in decision.conflicts)
    assert any("org/model-" in conflict for conflict in decision.conflicts)


def test_a_custom_license_keeps_its_name_and_link() -> None:
    custom = Declared(model="a/b", id="other", name="qwen", link="https://example.com/qwen")
    decision = decide([custom, Declared(model="c/d", id="mit")])
    assert decision.publishable
    assert (decision.id, decision.name, decision.link) == ("other", "qwen", custom.link)


def test_llama_brings_its_duties() -> None:
    duties = decide(parents("llama3.1", "mit")).duties
    assert any("Llama" in duty for duty in duties)


def test_a_recipe_may_ask_for_more_but_not_for_less() -> None:
    assert decide(parents("mit", "mit"), wanted="apache-2.0").id == "apache-2.0"
    refused = decide(parents("apache-2.0", "cc-by-nc-4.0"), wanted="apache-2.0")
    assert not refused.publishable
    assert refused.id == "cc-by-nc-4.0"


@given(st.lists(st.sampled_from(KNOWN), min_size=1, max_size=4))
def test_no_combination_forgets_a_restriction(ids: list[str]) -> None:
    decision = decide(parents(*ids))
    if not decision.publishable:
        return
    bound = {name for name in ids if family(name) is not Family.PERMISSIVE}
    if decision.id == "other":
        assert decision.name is not None
        assert all(name in decision.name for name in bound)
    else:
        assert not bound or family(decision.id) in {family(name) for name in bound}


def test_order_of_parents_changes_nothing() -> None:
    for ids in itertools.combinations(KNOWN, 2):
        there, back = decide(parents(*ids)), decide(parents(*reversed(ids)))
        assert there.publishable == back.publishable
        assert there.id == back.id


def test_terms_that_stand_side_by_side_keep_all_their_duties() -> None:
    record = record_of()
    names = ("llama3.1", "cc-by-nc-4.0", *["mit"] * len(record.parents))
    parents = tuple(
        parent.model_copy(update={"license": name})
        for parent, name in zip(record.parents, names, strict=False)
    )
    both = record.model_copy(
        update={
            "parents": parents,
            "license": License(id="other", name="llama3.1 AND cc-by-nc-4.0"),
        }
    )
    assert any("Built with Llama" in duty for duty in duties_of(licenses_of(both)))
    assert "Built with Llama" in render_card(both)
    with pytest.raises(LicenseError, match="begins with Llama"):
        require_publishable(both, "steady")
