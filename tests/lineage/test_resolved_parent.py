"""Model cards from strangers: what they say is taken over, what they are is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import CheckpointError
from bot.lineage.resolved_parent import read_card
from bot.recipe.lock import LockedCard


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
        "---\n[not, a, mapping]\n---\n",
        "---\nlicense: {nested: mit}\n---\n",
        "---\nlicense: !!python/object/apply:os.system [true]\n---\n",
        "---\n{unclosed\n---\n",
        "---\n" + "[" * 5000 + "\n---\n",
        "---\nlicense: !!timestamp soon\n---\n",
        "---\na0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60))
        + "---\n",
        "---\nlicense: !!bool maybe\n---\n",
        "---\nlicense: !!int ''\n---\n",
    ],
)
def test_a_card_that_says_nothing_usable_says_nothing(text: str) -> None:
    assert read_card(text) == LockedCard()


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
