from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from bot.errors import RecipeError
from bot.recipe.canonical import recipe_hash
from bot.recipe.sweep import MOST_VARIANTS, Variant, load_sweep, parse_sweep
from tests.recipe.drawn import recipe_data
from tests.recipe.examples import EXAMPLES
from tests.recipe.support import SIGNATURES, parse, place

SWEEP = """\
merge_method: ties
name: 'no'
description: "1e-3"
base_model: o/base
models:
  - model: a/b
    parameters: {weight: {sweep: [0.3, 0.5, 0.7]}}
  - model: c/d
    parameters:
      weight: 1
      density:
        - filter: mlp
          value:
            sweep:
              - 0.2
              - [0.1, 1]
        - value: 1
"""


def variants(text: str) -> tuple[Variant, ...]:
    return parse_sweep(text, "r.yaml", SIGNATURES)


def failing(text: str) -> list[tuple[int | None, int | None]]:
    with pytest.raises(RecipeError) as caught:
        variants(text)
    return [place(problem) for problem in caught.value.problems()]


def test_every_combination_first_sweep_slowest() -> None:
    found = variants(SWEEP)
    weight, density = "models[0].parameters.weight", "models[1].parameters.density[0].value"
    assert [(v.choices[weight], v.choices[density]) for v in found] == [
        (0.3, 0.2), (0.3, [0.1, 1]), (0.5, 0.2), (0.5, [0.1, 1]), (0.7, 0.2), (0.7, [0.1, 1]),
    ]  # fmt: skip
    assert found[0].label == f"{weight}=0.3, {density}=0.2"
    assert len({recipe_hash(v.recipe) for v in found}) == 6


def test_each_variant_has_a_text_that_makes_it_again() -> None:
    for variant in variants(SWEEP):
        again = parse(variant.recipe.text)
        assert replace(again, text="") == replace(variant.recipe, text="")
        assert again.about.name == "no"
        assert again.about.description == "1e-3"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_recipe_without_sweeps_is_its_only_variant(name: str) -> None:
    (variant,) = variants(EXAMPLES[name])
    assert variant.choices == {}
    assert variant.recipe == parse_sweep(EXAMPLES[name], "r.yaml", SIGNATURES)[0].recipe


@settings(deadline=None)
@given(recipe_data())
def test_a_sweep_of_one_value_is_that_value(data: dict) -> None:
    import json

    plain = parse(json.dumps(data))
    for model in data["models"]:
        weight = model["parameters"]["weight"]
        model["parameters"]["weight"] = {"sweep": [weight]}
    (variant,) = variants(json.dumps(data))
    assert recipe_hash(variant.recipe) == recipe_hash(plain)


def test_a_wrong_value_is_told_once_at_its_place() -> None:
    assert failing(SWEEP.replace("[0.1, 1]", "[0.1, 2]")) == [(16, 23)]
    assert failing(SWEEP.replace("0.5, 0.7", "0.5, x")) == [(7, 45)]


def test_other_problems_are_told_once_too() -> None:
    assert failing(SWEEP + "wat: 1\n") == [(18, 1)]


@pytest.mark.parametrize("sweep", ["{sweep: []}", "{sweep: 3}", "{sweep: null}"])
def test_nothing_to_sweep_over(sweep: str) -> None:
    assert failing(SWEEP.replace("{sweep: [0.3, 0.5, 0.7]}", sweep)) == [(7, 34)]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("[{sweep: [0.1, 0.2]}, 0.5]", "a sweep inside a sweep"),
        ("[[0.1, {sweep: [0.1]}], 0.5]", "a sweep inside a sweep"),
        ("[0.5, 0.3, 0.5]", "already"),
        ("[[0.1, 1], 0.3, [0.1, 1]]", "already"),
    ],
)
def test_each_variant_is_another_one(sweep: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        variants(SWEEP.replace("[0.3, 0.5, 0.7]", sweep))
    assert len(caught.value.problems()) == 1


def test_a_sweep_stands_alone() -> None:
    text = SWEEP.replace("{sweep: [0.3, 0.5, 0.7]}", "{sweep: [0.3], filter: x}")
    assert failing(text) == [(7, 41)]


def test_too_many_variants() -> None:
    values = ", ".join(str(i) for i in range(MOST_VARIANTS))
    assert failing(SWEEP.replace("0.3, 0.5, 0.7", values)) == [(7, 26)]


def test_sweeps_outside_of_parameters_are_unknown_keys() -> None:
    assert failing("merge_method: linear\nmodels: {sweep: [1]}\n") == [(2, 9)]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    assert len(load_sweep(path, SIGNATURES)) == 6
