"""Model cards from strangers: what they say is taken over, what they are is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import CheckpointError
from bot.lineage.license_decision import Declared, decide
from bot.lineage.resolved_parent import UNREADABLE, card_of_data, read_card
from bot.recipe.recipe_lock import LockedCard


def test_a_card_says_license_and_parents() -> None:
    card = read_card(
        "---\nlicense: other\nlicense_name: qwen\nlicense_link: https://example.com\n"
        "base_model:\n- a/b\n- c/d\nbase_model_relation: merge\ntags: [merge]\nlanguage: en\n"
        "---\n# x"
    )
    assert card == LockedCard(
        license="other",
        license_name="qwen",
        license_link="https://example.com",
        base_model=("a/b", "c/d"),
        base_model_relation="merge",
        tags=("merge",),
        language=("en",),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# no front matter\nlicense: mit",
        "---\nlicense: mit\nnever closed",
        "---\n---\n# empty",
        "---\nlicense:\n---\n",
        "---\nlicense: null\n---\n",
        "---\nlicense: []\n---\n",
        "---\na0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60))
        + "---\n",
    ],
)
def test_a_card_that_declares_nothing_declares_nothing(text: str) -> None:
    assert read_card(text) == LockedCard()


@pytest.mark.parametrize(
    "text",
    [
        "---\n[not, a, mapping]\n---\n",
        "---\nlicense: !!python/object/apply:os.system [true]\n---\n",
        "---\n{unclosed\n---\n",
        "---\n" + "[" * 5000 + "\n---\n",
        "---\n" + "- " * 5000 + "\n---\n",
        "---\nlicense: !!timestamp soon\n---\n",
        "---\nlicense: !!bool maybe\n---\n",
        "---\nlicense: !!int ''\n---\n",
        "---\nlicense: mit\nlicense: gpl-3.0\n---\n",
        "---\nlicense: mit\nmodel-index: '" + "x" * 300_000 + "'\n---\n",
    ],
)
def test_a_card_that_cannot_be_understood_is_not_one_that_declares_nothing(text: str) -> None:
    started = time.process_time()
    assert read_card(text) == LockedCard(license=UNREADABLE)
    assert time.process_time() - started < 2
    (conflict,) = decide([Declared(model="a/b", id=read_card(text).license)]).conflicts
    assert "a/b" in conflict
    assert "declares none" not in conflict


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("language: no", "language", ("no",)),
        ("language: [en, no, yes]", "language", ("en", "no", "yes")),
        ("license: [apache-2.0, mit]", "license", "apache-2.0 AND mit"),
        ("license: {nested: mit}", "license", "(nested value)"),
        (
            "a0: &a0 [x]\n"
            + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
            + "license: *a59",
            "license",
            "(nested value)",
        ),
        ("license_name: 1.0", "license_name", "1.0"),
        ("license_link: [https://a.org/l, LICENSE]", "license_link", "https://a.org/l LICENSE"),
        ("tags: [2024-01-01, 7, off]", "tags", ("2024-01-01", "7", "off")),
        ("base_model: 12/34", "base_model", ("12/34",)),
    ],
)
def test_what_stands_there_is_read_as_it_stands(line: str, field: str, value: object) -> None:
    assert getattr(read_card(f"---\n{line}\n---\n"), field) == value


def test_the_hub_s_own_reading_of_norwegian_is_understood() -> None:
    assert card_of_data({"language": False}).language == ("no",)
    assert card_of_data({"language": ["en", False]}).language == ("en", "no")


@pytest.mark.parametrize(
    ("line", "key"),
    [('license: "\\ud800"', "license"), ('base_model: [a/b, "c\\udfff"]', "base_model")],
)
def test_metadata_that_is_no_text_is_refused_by_file_and_key(line: str, key: str) -> None:
    with pytest.raises(CheckpointError, match=rf"^m/README\.md has half .* in its {key}$"):
        read_card(f"---\n{line}\n---\n", "m/README.md")


def test_a_list_of_one_license_is_a_license() -> None:
    assert read_card("---\nlicense: [mit]\n---\n").license == "mit"


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_card(text)
    read_card(f"---\n{text}\n---\n")
