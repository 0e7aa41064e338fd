from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from bot.errors import RecipeError
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.method_signature import load_signatures
from bot.recipe.recipe_json_schema import recipe_schema
from bot.recipe.strict_yaml import ListNode, MapNode, Node, ScalarNode, compose
from bot.recipe.sweep import parse_sweep
from tests.recipe.drawn import recipe_data
from tests.recipe.examples import EXAMPLES
from tests.recipe.mistakes_models import LAYERS, MODELS
from tests.recipe.mistakes_top import TOP
from tests.recipe.mistakes_values import VALUES
from tests.recipe.support import SIGNATURES, parse

SCHEMA = recipe_schema(SIGNATURES)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def plain(node: Node | None) -> Any:
    """A document as an editor with YAML 1.2 sees it."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    assert isinstance(node, ScalarNode)
    return node.value


def faults(text: str) -> list[str]:
    root, found = compose(text, "r.yaml")
    assert not found
    return [error.message for error in VALIDATOR.iter_errors(plain(root))]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(recipe_schema(load_signatures()))


@pytest.mark.parametrize("name", EXAMPLES)
def test_accepts_what_the_parser_accepts(name: str) -> None:
    assert not faults(EXAMPLES[name])


@settings(deadline=None)
@given(recipe_data())
def test_accepts_drawn_recipes(data: dict[str, Any]) -> None:
    parse(json.dumps(data))
    assert VALIDATOR.is_valid(data)


ONLY_THE_PARSER_SEES = {
    "two tokenizers", "name hub", "name lines", "tag twice", "tag odd", "token twice",
    "author line", "license empty", "base does not count", "too few", "none", "too many", "twice",
    "missing weight", "missing t", "dots", "git", "long id", "no layer", "lengths",
    "two for passthrough", "base not listed", "remote code", "overflow",
    "sweep", "not finite", "nan",
}  # fmt: skip
MISTAKES = {
    name: row[0].replace("→", "")
    for table in (TOP, VALUES, MODELS, LAYERS)
    for name, row in table.items()
    if name not in ONLY_THE_PARSER_SEES
}


@pytest.mark.parametrize("name", MISTAKES)
def test_rejects_mistakes_of_form_name_type_and_range(name: str) -> None:
    assert faults(MISTAKES[name])


SWEPT = """\
merge_method: ties
base_model: o/base
models:
  - {model: a/b, parameters: %s}
  - {model: c/d, parameters: {weight: 0.5}}
parameters: %s
"""
SWEEPS = {
    "a number of a gradient": "{weight: [0.1, {sweep: [0.2, 0.4]}]}",
    "a gradient's only number": "{weight: [{sweep: [0.2, 0.4]}]}",
    "a value or a gradient": "{weight: {sweep: [0.2, [0, 1]]}}",
    "a filter": "{weight: [{value: 1, filter: {sweep: [mlp, attn, null]}}, {value: 2}]}",
    "a row's value": "{weight: {value: {sweep: [1, [0, 1]]}, filter: mlp}}",
    "a number of a row's gradient": "{weight: [{value: [0, {sweep: [1, 2]}]}]}",
    "a row": "{weight: [{sweep: [{value: 1, filter: mlp}, {value: 2}]}, {value: 3}]}",
    "all rows": "{weight: {sweep: [[{value: 1, filter: mlp}, {value: 2}], {value: 3}]}}",
    "a whole block": "{sweep: [{weight: 0.3}, {weight: [0, 1], density: 0.5}]}",
    "no block": "{sweep: [null, {weight: 0.3}]}",
    "what is ignored": "{int8_mask: {sweep: [true]}}",
}
NO_SWEEPS = {
    "no value": "{weight: {sweep: []}}",
    "no list": "{weight: {sweep: 1}}",
    "one value twice": "{weight: {sweep: [0.5, 0.5]}}",
    "beside a filter": "{weight: {sweep: [1, 2], filter: mlp}}",
    "inside a sweep": "{weight: {sweep: [{value: {sweep: [1, 2]}}, 3]}}",
    "inside a gradient's sweep": "{weight: {sweep: [[0, {sweep: [1, 2]}], 3]}}",
    "out of range": "{density: [0, {sweep: [1, 2]}]}",
    "a filter that is no text": "{weight: {value: 1, filter: {sweep: [mlp, 3]}}}",
    "a gradient among numbers": "{weight: [0.1, {sweep: [[0.2], 0.4]}]}",
    "a block with an unknown name": "{sweep: [{wieght: 1}, {weight: 2}]}",
}


def refused(text: str) -> bool:
    try:
        parse_sweep(text, "r.yaml", SIGNATURES)
    except RecipeError:
        return True
    return False


@pytest.mark.parametrize("name", SWEEPS)
def test_accepts_the_sweeps_that_the_command_line_accepts(name: str) -> None:
    for text in (SWEPT % (SWEEPS[name], "{weight: 1}"), SWEPT % ("{weight: 1}", SWEEPS[name])):
        assert not refused(text)
        assert not faults(text)


@pytest.mark.parametrize("name", NO_SWEEPS)
def test_refuses_the_sweeps_that_the_command_line_refuses(name: str) -> None:
    for text in (
        SWEPT % (NO_SWEEPS[name], "{weight: 1}"),
        SWEPT % ("{weight: 1}", NO_SWEEPS[name]),
    ):
        assert refused(text)
        assert faults(text)


@pytest.mark.parametrize("value", ["true", "{value: 1}", "[{value: 1, filter: mlp}]", "no", "[1]"])
def test_what_is_ignored_is_read_like_any_switch(value: str) -> None:
    text = SWEPT % (f"{{weight: 1, int8_mask: {value}}}", "{weight: 1}")
    assert bool(faults(text)) == refused(text)


def test_knows_sweeps() -> None:
    text = EXAMPLES["ties"]
    swept = text.replace("density: 0.5", "density: {sweep: [0.5, [0, 1]]}")
    assert not faults(swept.replace("value: 0\n", "value: {sweep: [0, 0.1]}\n"))
    assert faults(text.replace("density: 0.5", "density: {sweep: [0.5, 2]}"))
    assert faults(text.replace("density: 0.5", "density: {sweep: []}"))


def test_covers_every_method_and_its_parameters() -> None:
    schema = recipe_schema(load_signatures())
    signatures = load_signatures()
    assert schema["properties"]["merge_method"]["enum"] == sorted(signatures)
    for name, signature in signatures.items():
        allowed = schema["$defs"][f"{name}.merge"]["properties"]
        assert {param.name for param in signature.parameters} <= set(allowed)


def test_reading_recipes_loads_no_arithmetic() -> None:
    code = (
        "import sys, bot.recipe.load_recipe, bot.recipe.canonical, bot.recipe.recipe_lock, "
        "bot.recipe.render_problems,"
        "bot.recipe.parameter_schedule, bot.recipe.recipe_json_schema\n"
        "bot.recipe.load_recipe.load_signatures()\n"
        "heavy = {'numpy', 'torch', 'transformers', 'numba', 'scipy', 'pydantic', 'bot.methods'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("word", ["true", "false", "1.0", "0", "l1"])
def test_switches_of_several_words_are_spelled_as_mergekit_spells_them(word: str) -> None:
    text = f"""
        merge_method: ties
        base_model: a/base
        models: [{{model: a/one, parameters: {{weight: 1.0}}}}]
        parameters: {{rescale: {word}}}
        """
    (row,) = parse_recipe(textwrap.dedent(text)).parameters["rescale"].rows
    assert row.value == {"1.0": "true", "0": "false"}.get(word, word)
    root, _ = compose(textwrap.dedent(text), "r.yaml")
    jsonschema.Draft202012Validator(recipe_schema(load_signatures())).validate(plain(root))
