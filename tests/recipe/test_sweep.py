from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
def test_a_sweep_of_one_value_is_that_value(data: dict[str, Any]) -> None:
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


def test_labels_are_yaml() -> None:
    text = "merge_method: slerp\nbase_model: a/b\nmodels:\n  - model: a/b\n  - model: c/d\n"
    found = variants(f"{text}parameters: {{sweep: [{{t: 0.3}}, {{t: [0.1, 1]}}]}}\n")
    assert [v.label for v in found] == ["parameters={t: 0.3}", "parameters={t: [0.1, 1]}"]
    found = variants(SWEEP + "parameters: {normalize: {sweep: [true, false]}}\n")
    assert found[0].label.endswith("parameters.normalize=true")


def test_the_hint_for_too_many_variants_names_no_command() -> None:
    values = ", ".join(str(i) for i in range(MOST_VARIANTS))
    with pytest.raises(RecipeError) as caught:
        variants(SWEEP.replace("0.3, 0.5, 0.7", values))
    (problem,) = caught.value.problems()
    assert "mergebot search" not in (problem.hint or "")


@pytest.mark.parametrize("faulty", ["0.3, 0.3", "", "0.3, {sweep: [1]}"])
def test_a_faulty_sweep_hides_no_other_mistake(faulty: str) -> None:
    text = SWEEP.replace("0.3, 0.5, 0.7", faulty).replace("[0.1, 1]", "[0.1, 2]") + "wat: 1\n"
    assert [line for line, _ in failing(text)] == [7, 16, 18]


def test_too_many_variants_hide_no_mistake() -> None:
    values = ", ".join(str(i) for i in range(MOST_VARIANTS))
    text = SWEEP.replace("0.3, 0.5, 0.7", values).replace("[0.1, 1]", "[0.1, 2]")
    assert [line for line, _ in failing(text)] == [7, 16]


def test_a_sweep_that_cannot_be_read_is_no_missing_parameter() -> None:
    text = "merge_method: slerp\nbase_model: a/b\nmodels:\n  - model: a/b\n  - model: c/d\n"
    assert failing(text + "parameters: {sweep: []}\n") == [(6, 21)]


def test_a_misspelt_sweep_is_told_once_with_the_right_word() -> None:
    with pytest.raises(RecipeError) as caught:
        variants(SWEEP.replace("{sweep: [0.3", "{sweeps: [0.3"))
    (problem,) = caught.value.problems()
    assert "did you mean `sweep`?" in (problem.hint or "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("merge_method: ties", "merge_method: {sweep: [ties, linear]}"),
        ("base_model: o/base", "base_model: {sweep: [o/base, o/other]}"),
        ("model: a/b", "model: {sweep: [a/b, e/f]}"),
        ("name: 'no'", "dtype: {sweep: [float16, float32]}"),
        ("name: 'no'", "seed: {sweep: [1, 2]}"),
        ("name: 'no'", "tokenizer: {source: {sweep: [union, base]}}"),
    ],
)
def test_a_sweep_stands_only_inside_parameters(old: str, new: str) -> None:
    with pytest.raises(RecipeError) as caught:
        variants(SWEEP.replace(old, new))
    assert [one.message for one in caught.value.problems()] == [
        "a sweep is allowed only inside `parameters`"
    ]


def test_a_sweep_of_models_or_layers_is_misplaced_too() -> None:
    assert failing("merge_method: linear\nmodels: {sweep: [1]}\n") == [(2, 9)]
    layers = "{sources: [{model: a/b, layer_range: {sweep: [[0, 1], [1, 2]]}}]}"
    assert failing(f"merge_method: passthrough\nslices: [{layers}]\n") == [(2, 47)]


def test_a_token_may_be_called_sweep() -> None:
    (variant,) = variants(
        "merge_method: linear\nmodels:\n  - {model: a/b, parameters: {weight: 1}}\n"
        "tokenizer: {source: union, tokens: {sweep: {source: a/b}}}\n"
    )
    assert variant.recipe.tokenizer is not None


def test_two_spellings_of_one_merge_are_one_variant_too_many() -> None:
    with pytest.raises(RecipeError, match="makes the same merge as"):
        variants(SWEEP.replace("[0.3, 0.5, 0.7]", "[0.3, {value: 0.3}]"))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    assert len(load_sweep(path, SIGNATURES)) == 6


def test_variants_times_keys_are_counted_before_the_variants_are_read() -> None:
    values = ", ".join(str(number / 1000) for number in range(1, 101))
    source = "- sources: [{model: a/b, layer_range: [0, 4]}]\n"
    text = (
        "merge_method: passthrough\nslices:\n" + source * 100
        + f"parameters: {{scale: {{sweep: [{values}]}}}}\n"
    )  # fmt: skip
    with pytest.raises(RecipeError) as caught:
        parse_sweep(text, "r.yaml", SIGNATURES)
    (problem,) = caught.value.problems()
    assert (problem.line, problem.column) == (103, 21)
    # Of each slice ten keys and values: sources, list, map, model, a/b, layer_range, list, 0, 4 and
    # the slice itself; of the rest merge_method, slices, parameters and scale with their values.
    assert "100 variants of 1,009 keys and values, 100,900 in all" in problem.message


def test_equal_values_of_a_sweep_are_found_whatever_their_form() -> None:
    for pair in ("1, 1.0", "[1, 0.5], [1.0, 0.5]", "{value: 1}, {value: 1.0}"):
        with pytest.raises(RecipeError, match="already"):
            variants(SWEEP.replace("0.3, 0.5, 0.7", pair))
