"""The license table, case by case, and what must hold for every combination."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import LicenseError
from bot.lineage.front_matter_schema import LICENSES
from bot.lineage.license_decision import Declared, decide
from bot.lineage.license_terms import (
    COMMUNITY,
    COPYLEFT,
    NO_DERIVATIVES,
    NONCOMMERCIAL,
    PERMISSIVE,
    RAIL,
    Family,
    duties_of,
    family,
    licenses_of,
)
from bot.lineage.license_text import identify, text_licenses
from bot.lineage.model_card import render_card
from bot.lineage.publish_policy import require_publishable
from leaderboard.record import License
from tests.checkpoint.models import random_tensors, write_model
from tests.leaderboard.samples import record_of

KNOWN = (*PERMISSIVE, *COPYLEFT, *RAIL, *COMMUNITY, *NONCOMMERCIAL, *NO_DERIVATIVES)


HUB_LICENSES = tuple((Path(__file__).parent / "hub_licenses.txt").read_text("utf-8").split())
"""The ids that https://huggingface.co/docs/hub/repositories-licenses lists."""

APACHE = (Path(__file__).parents[2] / "LICENSE").read_text("utf-8")
MIT = """MIT License

Copyright (c) 2024 someone

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


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
    custom = Declared(model="a/b", id="other", name="qwen", links=("https://example.com/qwen",))
    decision = decide([custom, Declared(model="c/d", id="mit")])
    assert decision.publishable
    assert (decision.id, decision.name, decision.links) == ("other", "qwen", custom.links)


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


def test_every_license_of_the_hub_is_known_and_no_other() -> None:
    named = {one for one in HUB_LICENSES if family(one) not in (Family.UNKNOWN, Family.CUSTOM)}
    assert set(HUB_LICENSES) - named == {"unknown", "other", "cc"}
    assert named == set(KNOWN)
    assert {*LICENSES} == set(HUB_LICENSES)


def test_a_card_s_list_of_licenses_applies_as_a_whole() -> None:
    listed = Declared(model="org/a", id="apache-2.0 AND mit")
    decision = decide([listed, Declared(model="org/b", id="mit")])
    assert decision.publishable
    assert (decision.id, set(decision.licenses)) == ("apache-2.0", {"apache-2.0", "mit"})
    bound = decide([Declared(model="org/a", id="mit AND cc-by-nc-4.0")])
    assert bound.id == "cc-by-nc-4.0"
    clash = decide([Declared(model="org/a", id="gpl-3.0 AND llama3.1")])
    assert "copyleft" in clash.conflicts[0]


@pytest.mark.parametrize("name", ["unknown", "None", "N/A", "tbd", "-"])
def test_unknown_by_any_name_is_unknown(name: str) -> None:
    for declared in (
        Declared(model="org/a", id=name),
        Declared(model="org/a", id="other", name=name),
        Declared(model="org/a", id="cc"),
    ):
        decision = decide([declared, Declared(model="org/b", id="mit")])
        assert not decision.publishable
        assert "the license of org/a is unknown" in decision.conflicts[0]
        assert "declares none" not in decision.conflicts[0]
        assert decision.id == "unknown"


def test_the_text_of_a_license_file_counts_where_the_card_is_silent() -> None:
    silent = Declared(model="org/a", id=None, texts=("mit",))
    decision = decide([silent])
    assert decision.publishable
    assert decision.id == "mit"
    assert "its LICENSE file" in decision.reasons[0]
    unread = decide([Declared(model="org/a", id=None, texts=())])
    assert "its LICENSE file is the text of no known license" in unread.conflicts[0]


@pytest.mark.parametrize(
    ("declared", "text", "conflict"),
    [
        ("mit", "cc-by-nc-4.0", "contradicts itself"),
        ("apache-2.0", "gpl-3.0", "contradicts itself"),
        ("mit", "busl-1.1", "busl-1.1, whose terms are not known here"),
        ("apache-2.0", "mit", None),
        ("gpl", "gpl-3.0", None),
        ("bsd", "bsd-3-clause", None),
        ("cc-by-nc-4.0", "apache-2.0", None),
    ],
)
def test_a_card_and_a_license_file_are_compared(
    declared: str, text: str, conflict: str | None
) -> None:
    found = decide([Declared(model="org/a", id=declared, texts=(text,))]).conflicts
    assert bool(found) == bool(conflict)
    assert conflict is None or conflict in found[0]


def test_the_terms_of_ancestors_apply_and_their_silence_does_not_block() -> None:
    tuned = Declared(model="org/tuned", id="mit")
    decision = decide([tuned, Declared(model="meta/base", id="llama3.1", ancestor=True)])
    assert (decision.publishable, decision.id) == (True, "llama3.1")
    assert any("meta/base" in reason and "ancestor" in reason for reason in decision.reasons)
    silent = decide([tuned, Declared(model="org/old", id=None, ancestor=True)])
    assert (silent.publishable, silent.id) == (True, "mit")


@pytest.mark.parametrize(
    ("ids", "wanted", "expected"),
    [
        (["mit", "apache-2.0"], "cc-by-nc-4.0", "cc-by-nc-4.0"),
        (["mit"], "agpl-3.0", "agpl-3.0"),
        (["cc-by-nc-4.0"], "cc-by-nc-sa-4.0", "cc-by-nc-sa-4.0"),
        (["gpl-3.0"], "agpl-3.0", "agpl-3.0"),
        (["mit"], "cc-by-nc-nd-4.0", "cc-by-nc-nd-4.0"),
        (["llama3.1"], "cc-by-nc-4.0", "other"),
    ],
)
def test_a_recipe_may_ask_for_a_stricter_license(
    ids: list[str], wanted: str, expected: str
) -> None:
    decision = decide(parents(*ids), wanted=wanted)
    assert decision.publishable
    assert decision.id == expected
    assert wanted in decision.licenses


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [(["apache-2.0"], "gpl-2.0"), (["llama3.1"], "gpl-3.0"), (["mit"], "llama3.1"), (["mit"], "x")],
)
def test_a_license_that_cannot_be_asked_for_is_refused(ids: list[str], wanted: str) -> None:
    assert not decide(parents(*ids), wanted=wanted).publishable


def test_all_links_survive_and_only_web_addresses_do() -> None:
    one = Declared(
        model="a/b", id="other", name="x", links=("https://a.org/x", "javascript:alert(1)")
    )
    two = Declared(model="c/d", id="other", name="y", links=("https://c.org/y", "LICENSE"))
    assert decide([one, two]).links == ("https://a.org/x", "https://c.org/y")


def test_duties_stand_on_the_page() -> None:
    record = record_of()
    license = License(
        id="other",
        name="llama3.1 AND openrail",
        links=("https://a.org/x", "https://c.org/y"),
        derived_from=("llama3.1", "openrail", "gemma"),
    )
    card = render_card(record.model_copy(update={"license": license}))
    page = card.split("---", 2)[2]
    assert "\nBuilt with Llama\n" in page
    assert "Llama 3.1 is licensed under the Llama 3.1 Community License" in page
    assert "https://www.licenses.ai/ai-licenses" in page
    assert "https://ai.google.dev/gemma/prohibited" in page
    assert "(https://a.org/x)" in page
    assert "(https://c.org/y)" in page


def test_a_license_text_is_identified_or_unknown() -> None:
    assert identify(APACHE) == ("apache-2.0",)
    assert identify(MIT) == ("mit",)
    assert set(identify(f"{MIT}\n\n{APACHE}")) == {"mit", "apache-2.0"}
    assert identify("You may use this model if you are nice.") == ()
    assert identify("LLAMA 3 COMMUNITY LICENSE\n" + "Terms. " * 500 + APACHE[-60:]) == ()


def test_the_license_files_of_a_model_are_read(tmp_path: Path) -> None:
    source = write_model(tmp_path / "m", random_tensors(1, {"a": (4, 4)}))
    assert text_licenses(source) is None
    (tmp_path / "m" / "LICENSE.md").write_text(MIT)
    assert text_licenses(source) == ("mit",)
    (tmp_path / "m" / "LICENSE").write_text("All rights are mine.")
    assert text_licenses(source) == ("mit",)
    (tmp_path / "m" / "LICENSE.md").unlink()
    assert text_licenses(source) == ()
