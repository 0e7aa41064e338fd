"""Whatever the bytes, the answer is a recipe or problems with places, and it comes soon."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.errors import RecipeError
from bot.recipe.canonical import recipe_hash
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import Recipe
from bot.recipe.render_problems import render_problems
from tests.recipe.examples import EXAMPLES
from tests.recipe.support import SIGNATURES

pytestmark = pytest.mark.timeout(60)  # a reader that hangs must fail, not wait
VALID = [text.encode() for text in EXAMPLES.values()]
PIECES = st.sampled_from(
    [b"&a", b"*a", b"!!x ", b"<<: ", b"---\n", b"...\n", b"%YAML 1.1\n", b"[", b"]", b"{", b"}",
     b"? ", b": ", b"- ", b"\t", b"\n", b"'", b'"', b"|", b">", b"#", b"\x00", b"\xff", b"@", b"`",
     b"\xe2\x80\xae", b"\xcc\x81", b".nan", b"1e999", b"~", b"true", b"{sweep: [1]}", b"+", b"\r",
     b'"\\uD800"', b'"\\U0010FFFF"', b"\xed\xa0\x80", b"9" * 400, b"models:", b"parameters:"]
)  # fmt: skip


def read(data: bytes) -> Recipe | None:
    try:
        recipe = parse_recipe(data, "r.yaml", SIGNATURES)
    except RecipeError as error:
        found = error.problems()
        assert found
        assert all(problem.file == "r.yaml" and problem.message for problem in found)
        lines = data.count(b"\n") + 1
        assert all(1 <= (problem.line or 1) <= lines + 1 for problem in found)
        shown = render_problems(found)
        assert all(character == "\n" or character.isprintable() for character in shown)
        return None
    return recipe


@settings(deadline=None)
@given(st.binary(max_size=400))
@example(b"\xff\xfe")
@example(b"\xd4\xb0")  # a character that is not assigned
@example(b"%TAG ! tag:x,2024:\n--- !a b")
@example(b"? !!binary |\n  aGk=\n: 1")
def test_arbitrary_bytes(data: bytes) -> None:
    read(data)


@settings(deadline=None)
@given(st.text(alphabet="mdls:-[]{}&*!|>'\"%@`#,?~ \n\t0.e", max_size=200))
def test_text_of_yaml_signs(text: str) -> None:
    read(text.encode())


@settings(deadline=None)
@given(st.text(max_size=100))
def test_arbitrary_text_given_as_text(text: str) -> None:
    try:
        parse_recipe(text, "r.yaml", SIGNATURES)
    except RecipeError:
        return


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data[start:end] = draw(PIECES | st.binary(max_size=4) | st.just(bytes(data[:60])))
    return bytes(data)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_mutated_recipes(data: bytes) -> None:
    recipe = read(data)
    if recipe is not None:
        assert len(recipe_hash(recipe, with_suites=True)) == 64
        assert recipe.references()
