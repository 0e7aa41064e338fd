from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.recipe.canonical import (
    canonical_json,
    canonical_recipe,
    merge_key,
    recipe_hash,
    run_key,
)
from bot.recipe.recipe import About, ModelRef, Recipe
from tests.recipe.drawn import recipe_data, spelt
from tests.recipe.examples import EXAMPLES
from tests.recipe.support import parse


def bare(recipe: Recipe) -> Recipe:
    """What decides the weights."""
    return replace(recipe, text="", file="", about=About())


@pytest.mark.parametrize("name", EXAMPLES)
def test_canonical_form_is_the_same_recipe(name: str) -> None:
    recipe = parse(EXAMPLES[name])
    again = parse(canonical_json(canonical_recipe(recipe)))
    assert bare(again) == bare(recipe)
    assert recipe_hash(again) == recipe_hash(recipe)


@settings(deadline=None)
@given(recipe_data(), st.randoms(use_true_random=False))
def test_spelling_does_not_change_the_hash(data: dict[str, object], random: Random) -> None:
    first, second = parse(json.dumps(data)), parse(spelt(data, random))
    assert bare(first) == bare(second)
    assert recipe_hash(first) == recipe_hash(second)
    assert bare(parse(canonical_json(canonical_recipe(first)))) == bare(first)


@settings(deadline=None)
@given(recipe_data(), recipe_data())
def test_other_recipes_have_other_hashes(one: dict[str, object], two: dict[str, object]) -> None:
    first, second = bare(parse(json.dumps(one))), bare(parse(json.dumps(two)))
    assert (recipe_hash(first) == recipe_hash(second)) == (first == second)


BASE = """
merge_method: ties
base_model: o/base
models:
  - {model: a/b, parameters: {weight: 1.0, density: 0.5}}
  - {model: c/d@main, parameters: {weight: 0.1}}
"""

SAME = {
    "comment and order": """
        # a note
        models:
        - parameters: {density: .5, weight: 1}
          model: "a/b"
        - model: 'c/d@main'
          parameters:
            weight: [{value: 1e-1, filter: "*"}]
        base_model: o/base
        merge_method: ties
        """,
    "about": BASE + "name: x\ndescription: y\nlicense: mit\nauthors: [z]\ntags: [t]\nsuites: [s]\n",
    "defaults": BASE + "seed: 0\nparameters: {}\ndtype: null\n",
}
OTHER = {
    "weight": BASE.replace("0.1", "0.1000000001"),
    "order of models": """
        merge_method: ties
        base_model: o/base
        models:
          - {model: c/d@main, parameters: {weight: 0.1}}
          - {model: a/b, parameters: {weight: 1.0, density: 0.5}}
        """,
    "revision": BASE.replace("@main", ""),
    "seed": BASE + "seed: 1\n",
    "dtype": BASE + "dtype: float32\n",
    "filter": BASE.replace("weight: 0.1", "weight: [{filter: x, value: 0.1}]"),
    "gradient": BASE.replace("weight: 0.1", "weight: [0.1, 0.2]"),
    "tokenizer": BASE + "tokenizer_source: union\n",
    "template": BASE + "chat_template: chatml\n",
}


@pytest.mark.parametrize("name", SAME)
def test_same_merge(name: str) -> None:
    assert recipe_hash(parse(SAME[name])) == recipe_hash(parse(BASE))


@pytest.mark.parametrize("name", OTHER)
def test_other_merge(name: str) -> None:
    assert recipe_hash(parse(OTHER[name])) != recipe_hash(parse(BASE))


def test_suites_count_only_when_asked_for_and_in_no_order() -> None:
    one, two = (parse(BASE + f"suites: [{names}]\n") for names in ("a, b", "b, a"))
    assert recipe_hash(one) == recipe_hash(parse(BASE))
    assert recipe_hash(one, with_suites=True) == recipe_hash(two, with_suites=True)
    assert recipe_hash(one, with_suites=True) != recipe_hash(parse(BASE), with_suites=True)


def test_two_spellings_of_a_tokenizer_source() -> None:
    one = parse(BASE + "tokenizer_source: a/b\n")
    assert recipe_hash(one) == recipe_hash(parse(BASE + "tokenizer: {source: a/b}\n"))


def test_merge_key_depends_on_recipe_pins_and_engine() -> None:
    recipe = parse(BASE)
    pins = dict.fromkeys(recipe.references(), "0" * 40)
    moved = pins | {ModelRef(path="a/b"): "1" * 40}
    swapped = pins | {ModelRef(path="o/base"): "1" * 40}
    keys = {
        merge_key(recipe, pins, "1"),
        merge_key(recipe, moved, "1"),
        merge_key(recipe, swapped, "1"),
        merge_key(recipe, pins, "2"),
        merge_key(parse(BASE + "seed: 3\n"), pins, "1"),
    }
    assert len(keys) == 5
    renamed = parse(BASE + "name: other\nsuites: [x]\n")
    assert merge_key(renamed, dict(reversed(pins.items())), "1") == merge_key(recipe, pins, "1")


def test_run_key_depends_on_the_suites() -> None:
    assert run_key("m", {"a": "1", "b": "2"}) == run_key("m", {"b": "2", "a": "1"})
    assert run_key("m", {"a": "1"}) != run_key("m", {"a": "2"})


def test_canonical_json_is_yaml_and_refuses_numbers_that_are_none() -> None:
    form = {"b": [1e-05, 1e22, 0.1], "a": "ü\n\u2603", "c": -0.5}
    text = canonical_json(form)
    assert text.index('"a"') < text.index('"b"')
    assert yaml.safe_load(text)["a"] == form["a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan")})
