"""A config key can be code: what is refused by name, what is left out, what is ordinary."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.architecture.output_config import Changes, output_config
from bot.architecture.untrusted_config import CONFIG_FILES, refusals, without_sources
from bot.errors import PlanError
from bot.methods.core.all_methods import catalogue
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import parse_recipe
from tests.plan.parents import LLAMA, by_ref, llama

RECIPE = """
merge_method: linear
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
"""

CODE: list[tuple[str, Any]] = [
    ("attn_implementation", "someone/kernel"),
    ("attn_implementation", "paged|someone/kernel@main:fn"),
    ("_attn_implementation", {"": "eager", "text_config": "someone/kernel"}),
    ("_attn_implementation_internal", "someone/kernel"),
    ("attnImplementation", "someone/kernel"),
    ("experts_implementation", "someone/kernel"),
    ("cache_implementation", "someone/cache"),
    ("kernel_config", {"RMSNorm": {"cuda": "someone/kernel:RMSNorm"}}),
    ("kernels", ["someone/kernel"]),
    ("attn_kernel", "file:///etc"),
    ("auto_map", {"AutoModel": "modeling.Model"}),
    ("auto_map", {"AutoModel": "someone/repo--modeling.Model"}),
    ("model_class", "someone/repo--modeling.Model"),
    ("custom_pipelines", {"x": {"impl": "p.P"}}),
    ("custom_pipeline", "someone/pipeline"),
    ("custom_generate", "someone/generate"),
    ("trust_remote_code", True),
    ("code_revision", "main"),
    ("adapter_repo", "someone/adapter"),
    ("weights_url", "https://example.com/x"),
    ("hub_id", "someone/model"),
    ("backbone", "someone/vision"),
]

HARMLESS: list[tuple[str, Any]] = [
    ("attn_implementation", "eager"),
    ("_attn_implementation", "flash_attention_2"),
    ("_attn_implementation_autoset", True),
    ("_experts_implementation", None),
    ("auto_map", None),
]

ORDINARY: list[tuple[str, Any]] = [
    ("cache_implementation", "hybrid"),
    ("conv_kernel", 4),
    ("conv_kernel_size", [3, 3]),
    ("use_mamba_kernels", True),
    ("chunkwise_kernel", "chunkwise--native_autograd"),
    ("hidden_act", "silu"),
    ("rope_scaling", {"rope_type": "llama3", "factor": 8.0}),
    ("id2label", {"0": "and/or", "1": "https://example.com"}),
    ("time_step_limit", [0.0, 1e30]),
    ("hidden_sizes", [96, 192]),
    ("pretraining_tp", 1),
    ("task_specific_params", {"translation": {"prefix": "translate English to French: "}}),
]


def placed(key: str, value: Any, place: str) -> dict[str, Any]:
    """A config with the key at the top, in a section, or in lists of lists of objects."""
    if place == "top":
        return {key: value}
    return {"text_config": {key: value}} if place == "section" else {"a": [[{"b": {key: value}}]]}


PLACES = ("top", "section", "lists")


def plan_of(**files: dict[str, Any]) -> Any:
    content = {
        "config.json": LLAMA,
        **{name.replace("__", "."): data for name, data in files.items()},
    }
    stored = {path: json.dumps(value).encode() for path, value in content.items()}
    return make_plan(
        parse_recipe(RECIPE), by_ref(llama("org/a"), llama("org/b", files=stored)), catalogue()
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("key", "value"), CODE)
def test_code_is_refused_by_name_at_any_depth(key: str, value: Any, place: str) -> None:
    config = placed(key, value, place)
    found = [problem.message for problem in refusals(config, "org/a")]
    assert any(key in message and "asks for code" in message for message in found)


@pytest.mark.parametrize("file", CONFIG_FILES)
def test_every_config_of_every_parent_is_looked_at(file: str) -> None:
    config = {**LLAMA, "attn_implementation": "someone/kernel"}
    with pytest.raises(PlanError, match=f"{file} of org/b asks for code .*attn_implementation"):
        plan_of(**{file.replace(".", "__"): config})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("key", "value"), HARMLESS)
def test_an_author_s_own_choice_is_taken_and_never_written(
    key: str, value: Any, place: str
) -> None:
    config = {**LLAMA, **placed(key, value, place)}
    assert not list(refusals(config, "org/a"))
    written, _ = output_config(config, Changes(dtype="float32"))
    assert key not in json.dumps(written)
    assert written["hidden_size"] == LLAMA["hidden_size"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("key", "value"), ORDINARY)
def test_what_real_configs_hold_is_kept(key: str, value: Any, place: str) -> None:
    config = {**LLAMA, **placed(key, value, place)}
    assert not list(refusals(config, "org/a"))
    assert without_sources(config) == config


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("architectures", [""], "not a list of class names"),
        ("architectures", {"a": 1}, "not a list of class names"),
        ("architectures", "LlamaForCausalLM", "not a list of class names"),
        ("architectures", ["a b"], "not a list of class names"),
        ("model_type", ["llama"], "not a name such as llama"),
        ("hidden_size", -1, "hidden_size in config.json of org/b is -1, not a count"),
        ("hidden_size", "4096", "is '4096', not a count"),
        ("vocab_size", 4096.5, "is 4096.5, not a count"),
        ("num_hidden_layers", "4x", "is '4x', not a count"),
        ("max_position_embeddings", True, "is True, not a count"),
        ("max_position_embeddings", 10**39, "not a count"),
    ],
)
def test_odd_values_are_plan_problems(key: str, value: Any, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan_of(config__json={**LLAMA, key: value})


KEYS = st.sampled_from([key for key, _ in CODE]) | st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["a/b", "a/b--c.D", "eager", "x:y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_nothing_that_passes_names_a_repository(config: dict[str, Any]) -> None:
    if list(refusals(config, "org/a")):
        return
    assert not [
        path for path, text in walked(without_sources(config)) if names_a_source(path, text)
    ]


def walked(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        return [(path, value)]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [pair for key, child in items for pair in walked(child, (*path, str(key)))]


def names_a_source(path: tuple[str, ...], text: str) -> bool:
    """An independent, simpler reading: a path or address under a key that has such a word."""
    words = ("implementation", "kernel", "repo", "auto_map", "custom_", "backbone", "hub_")
    return "/" in text and any(word in key.lower() for key in path for word in words)
