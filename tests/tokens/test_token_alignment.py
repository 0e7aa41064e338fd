"""Alignments against a brute-force reading of the rules, and through JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tokens.token_alignment import MISSING, Member, Rule, align, compare, extended, union
from bot.tokens.token_alignment_json import dump_alignment
from bot.tokens.vocabulary import Vocabulary
from tests.present import present
from tests.tokens.read_alignment import load_alignment


def vocabulary(*tokens: str, added: tuple[str, ...] = ()) -> Vocabulary:
    ids = {token: index for index, token in enumerate((*tokens, *added))}
    return Vocabulary(ids=ids, added={token: {} for token in added}, document={})


def member(key: str, *tokens: str) -> Member:
    return Member(key=key, vocabulary=vocabulary(*tokens), rows=len(tokens))


words = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


@given(words, words, words, st.sampled_from([None, "x", "y"]), st.integers(1, 9))
def test_every_row_follows_the_rules(
    x: list[str], y: list[str], z: list[str], base: str | None, step: int
) -> None:
    members = [member("x", *x), member("y", *y), member("z", *z)]
    ids = union([entry.vocabulary for entry in members])
    made = align(ids, members, base=base, pad_to_multiple_of=step)
    assert sorted(ids.values()) == list(range(len(set(x) | set(y) | set(z))))
    assert [ids[token] for token in x] == list(range(len(x)))
    assert made.rows % step == 0
    assert 0 <= made.rows - len(ids) < step
    for token, row in ids.items():
        homes = {key: have.index(token) for key, have in zip("xyz", (x, y, z), strict=True)
                 if token in have}  # fmt: skip
        for key in "xyz":
            assert made.own[key][row] == homes.get(key, MISSING)
        if len(homes) == 3:
            assert row not in made.fills
        elif base in homes:
            assert made.fills[row] == ((base, homes[base]),)
        else:
            assert made.fills[row] == tuple(homes.items())
    assert load_alignment(json.loads(json.dumps(dump_alignment(made)))) == made


def test_rules_zero_copy_and_force() -> None:
    members = [member("x", "a", "b"), member("y", "b", "c")]
    ids = extended(union([entry.vocabulary for entry in members]), ["new"])
    rules = [
        Rule(token="a", sources=()),
        Rule(token="b", sources=(("y", 1),), force=True),
        Rule(token="c", sources=None, force=True),
        Rule(token="new", sources=(("x", 1),)),
    ]
    made = align(ids, members, base="x", rules=rules)
    assert made.own == {"x": (0, MISSING, MISSING, MISSING), "y": (MISSING,) * 4}
    assert made.fills == {0: (), 1: (("y", 1),), 2: (("y", 1),), 3: (("x", 1),)}
    assert load_alignment(dump_alignment(made)) == made


def test_gaps_between_ids_and_tokens_without_rows() -> None:
    gap = Vocabulary(ids={"a": 0, "z": 3}, added={}, document={})
    made = align(gap.ids, [Member(key="x", vocabulary=gap, rows=3)], base="x")
    assert made.rows == 4
    assert made.own["x"] == (0, MISSING, MISSING, MISSING)
    assert made.fills == {1: (), 2: (), 3: ()}


def test_union_puts_plain_tokens_of_all_models_before_added_ones() -> None:
    first = vocabulary("a", added=("<s>",))
    others = [vocabulary("b", "a", added=("<x>",)), vocabulary("c", added=("<s>", "<y>"))]
    wanted = {"a": 0, "<s>": 1, "b": 2, "c": 3, "<x>": 4, "<y>": 5}
    assert union([first, *others]) == wanted


def test_a_plain_vocabulary_is_a_few_numbers_in_json() -> None:
    tokens = [f"t{index}" for index in range(100_000)]
    made = align(vocabulary(*tokens).ids, [member("x", *tokens)], base="x")
    assert dump_alignment(made)["own"] == {"x": [(0, 0, 100_000)]}


@pytest.mark.parametrize(
    ("other", "said"),
    [(("a", "b"), None), (("b", "a"), "2 tokens have other ids"), (("a", "c"), "1 are new")],
)
def test_comparing(other: tuple[str, ...], said: str | None) -> None:
    problem = compare(vocabulary("a", "b"), vocabulary(*other))
    assert (problem is None) if said is None else (said in present(problem).message)
