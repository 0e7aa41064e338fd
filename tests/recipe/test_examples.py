from __future__ import annotations

import textwrap

import pytest

from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import ModelRef, Schedule, ScheduleRow, TokenRule
from tests.recipe.examples import EXAMPLES
from tests.recipe.support import parse


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_shapes_are_accepted(name: str) -> None:
    recipe = parse(EXAMPLES[name])
    assert (recipe.models is None) != (recipe.slices is None)
    assert recipe.file == "r.yaml"
    assert "merge_method" in recipe.text


@pytest.mark.parametrize("name", EXAMPLES)
def test_they_are_accepted_with_the_methods_that_exist(name: str) -> None:
    assert parse_recipe(textwrap.dedent(EXAMPLES[name])).references()


def test_schedules_keep_rows_gradients_and_their_order() -> None:
    t = parse(EXAMPLES["slerp with filters and gradients"]).parameters["t"]
    assert t == Schedule(
        rows=(
            ScheduleRow(value=(0.0, 0.5, 0.3, 0.7, 1.0), filter="self_attn"),
            ScheduleRow(value=(1.0, 0.5, 0.7, 0.3, 0.0), filter="mlp"),
            ScheduleRow(value=0.5),
        )
    )


def test_references_split_into_path_revision_and_adapter() -> None:
    recipe = parse(EXAMPLES["adapters and revisions"])
    assert recipe.models is not None
    first, second, third = (item.model for item in recipe.models)
    adapter = ModelRef(path="acme/adapter", revision="v2")
    assert first == ModelRef(path="acme/base", revision="abc123", lora=adapter)
    assert second == ModelRef(path="./runs/a+b", lora=ModelRef(path="./adapters/x@1"))
    assert third.is_local


def test_token_rules_are_sorted_for_the_order_of_keys_means_nothing() -> None:
    recipe = parse(EXAMPLES["union of tokenizers"])
    chat, code = ModelRef(path="acme/chat"), ModelRef(path="acme/code")
    assert recipe.tokenizer is not None
    assert recipe.tokenizer.source == "union"
    assert recipe.tokenizer.pad_to_multiple_of == 64
    assert recipe.tokenizer.tokens == (
        TokenRule(token="<pad>", zero=True),
        TokenRule(token="<x>", source=code, source_token_id=0),
        TokenRule(token="<|im_end|>", source=chat, source_token="</s>", force=True),
        TokenRule(token="<|im_start|>", source=chat),
    )


def test_own_block() -> None:
    about = parse(EXAMPLES["our own block"]).about
    assert about.name == "chat-and-math.v2"
    assert about.description == "Two lines\nabout it."
    assert about.authors == ("Ada", "Grace H.")
    assert about.tags == ("maths", "domain: chat")
    assert about.suites == ("skills", "quick")


def test_dtypes_lose_their_torch_prefix() -> None:
    assert parse(EXAMPLES["dare_ties with one default for all"]).out_dtype == "bfloat16"


def test_whole_numbers_of_real_parameters_become_floats() -> None:
    recipe = parse(EXAMPLES["our own block"])
    values = [item.parameters["weight"].rows[0].value for item in recipe.models or ()]
    assert [type(value) for value in values] == [float, float]
