"""One row per way to get a recipe wrong: where it is reported (at the arrow), what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import RecipeError
from bot.recipe.load_recipe import parse_recipe
from tests.present import present
from tests.recipe.mistakes_models import LAYERS, MODELS
from tests.recipe.mistakes_top import TOP
from tests.recipe.mistakes_values import VALUES
from tests.recipe.support import LINEAR, SIGNATURES, SLICES, marked, place, problems

ALL = {
    f"{kind}: {name}": row
    for kind, table in (("top", TOP), ("value", VALUES), ("model", MODELS), ("layer", LAYERS))
    for name, row in table.items()
}


@pytest.mark.parametrize("name", ALL)
def test_reported_once_at_its_place_with_a_next_step(name: str) -> None:
    written, message, hint = ALL[name]
    text, expected = marked(written)
    found = problems(text)
    assert [place(problem) for problem in found] == [expected], [str(p) for p in found]
    shown = f"{found[0].message}\n{found[0].hint}"
    assert message in found[0].message
    assert hint in shown
    assert found[0].excerpt == text.split("\n")[expected[0] - 1]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        """\
        merge_method: ties
        dtype: bf17
        models:
          - model: gpt2
          - model: a/b
            parameters: {weight: x, density: [0, 3]}
          - model: c/d
        parameters:
          lamda: 2
        wat: 1
        """
    )
    lines = [present(problem.line) for problem in found]
    assert lines == sorted(lines)
    assert lines == [1, 2, 4, 6, 6, 7, 9, 10]


def test_a_misspelt_method_hides_no_mistake_in_its_parameters() -> None:
    found = problems(
        "merge_method: tiess\nmodels:\n"
        "  - {model: a/b, parameters: {weight: .inf, densty: 0.5}}\n"
        "parameters: {density: 3}\n"
    )
    assert [problem.line for problem in found] == [1, 3, 3, 4]


def test_one_folder_by_two_names_is_one_model(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    text = "merge_method: linear\nparameters: {weight: 1}\nmodels: [{model: ./one}, {model: %s}]\n"
    for other in ("./one/", "../" + tmp_path.name + "/one", str(tmp_path / "one"), "./link"):
        with pytest.raises(RecipeError, match="is listed twice"):
            parse_recipe(text % other, str(tmp_path / "r.yaml"), SIGNATURES)
    parse_recipe(text % "./two", str(tmp_path / "r.yaml"), SIGNATURES)


@pytest.mark.parametrize("other", ["./base/", "../x/base"])
def test_the_base_by_another_name_is_not_one_of_the_models(other: str) -> None:
    text = "merge_method: ties\nbase_model: ./base\nparameters: {weight: 1}\n"
    text += f"models: [{{model: {other}}}, {{model: ./two}}]\n"
    with pytest.raises(RecipeError, match=r"the base `\./base` by another name"):
        parse_recipe(text, "x/r.yaml", SIGNATURES)


def test_a_wrong_base_does_not_cause_follow_up_problems() -> None:
    text = "merge_method: slerp\nbase_model: nope\nparameters: {t: 0}\n"
    found = problems(text + "models: [{model: a/b}, {model: c/d}]\n")
    assert [problem.line for problem in found] == [2]


def test_the_base_needs_no_parameters_but_others_do() -> None:
    found = problems(
        "merge_method: ties\nbase_model: a/b\nmodels: [{model: a/b}, {model: c/d}, {model: e/f}]\n"
    )
    assert ["`c/d`" in found[0].message, "`e/f`" in found[1].message] == [True, True]


def test_where_no_base_takes_part_the_donor_counts_as_a_model() -> None:
    text = "merge_method: linear\nbase_model: a/b\nmodels: [{model: a/b}]\n"
    assert "missing parameter `weight` for `a/b`" in problems(text)[0].message


def test_levels_stand_in_for_each_other() -> None:
    text = (
        "merge_method: ties\nbase_model: a/b\nslices:\n- sources:\n"
        "  - {model: a/b, layer_range: [0, 2]}\n  - {model: c/d, layer_range: [2, 4]}\n"
        "  parameters: {weight: 1, lambda: 2}\n"
    )
    assert not problems(text)


def test_the_same_layers_of_one_model_may_stand_in_several_slices() -> None:
    row = "- sources: [{model: a/b, layer_range: [0, 2]}]\n"
    assert not problems(SLICES + row + row)


def test_two_layers_of_one_model_may_be_merged() -> None:
    assert not problems(
        "merge_method: linear\nparameters: {weight: 1}\nslices:\n- sources:\n"
        "  - {model: a/b, layer_range: [0, 2]}\n  - {model: a/b, layer_range: [2, 4]}\n"
    )


def test_unknown_words_of_any_length_are_cut_in_messages() -> None:
    found = problems(LINEAR + f"{'x' * 500}: 1\n")
    assert len(found[0].message) < 120
