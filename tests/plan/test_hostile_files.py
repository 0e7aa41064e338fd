"""Any JSON in any side file gives a plan or an explanation, never another exception."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.architecture.output_config import _LAYER_INDEX_LISTS, _LAYER_RULES
from bot.errors import PlanError
from bot.methods.core.all_methods import catalogue
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import load_recipe
from bot.recipe.recipe import Recipe
from tests.plan.parents import LLAMA, by_ref, llama
from tests.plan.recipes import plan_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.floats()
    | st.text("ab<>\ud800", max_size=3)
)
NAMES = st.sampled_from(["id", "content", "vocab", "name", "template"])
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "content", "vocab", "name", "template"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *LLAMA, *sorted(_LAYER_RULES)[:2], *sorted(_LAYER_INDEX_LISTS), "text_config", "dtype",
        "layer_types", "rope_parameters", "eos_token_id", "n_layer",
    ]
)  # fmt: skip
CONFIGS = st.dictionaries(KEYS, JSON, max_size=4)
TOKENIZERS = st.fixed_dictionaries(
    {
        "model": st.fixed_dictionaries(
            {"type": st.just("BPE"), "vocab": JSON | st.dictionaries(st.text("ab"), st.integers())},
            optional={"merges": JSON, "continuing_subword_prefix": JSON},
        )
        | JSON
    },
    optional={"added_tokens": JSON},
)
RECIPES = [
    """
merge_method: linear
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
chat_template: auto
tokenizer_source: union
""",
    """
merge_method: passthrough
slices:
  - sources: [{model: org/a, layer_range: [0, 1]}]
  - sources: [{model: org/b, layer_range: [0, 2]}]
""",
]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> list[Recipe]:
    folder = tmp_path_factory.mktemp("recipes")
    for number, text in enumerate(RECIPES):
        (folder / f"{number}.yaml").write_text(text)
    return [load_recipe(folder / f"{number}.yaml") for number in range(len(RECIPES))]


@settings(max_examples=100, deadline=None)
@given(CONFIGS, CONFIGS, TOKENIZERS, JSON, JSON, st.booleans())
def test_any_side_files(
    recipes: list[Recipe],
    config: dict[str, Any],
    other: dict[str, Any],
    tokenizer: object,
    beside: object,
    generation: object,
    small: bool,
) -> None:
    def parent(name: str, changes: dict[str, Any]) -> Parent:
        files = {
            "config.json": {**(LLAMA | {"num_hidden_layers": 2}), **changes},
            "tokenizer.json": tokenizer,
            "tokenizer_config.json": {"added_tokens_decoder": beside, "chat_template": beside},
            "added_tokens.json": beside if small else {},
            "generation_config.json": generation,
        }
        data = {path: json.dumps(value).encode() for path, value in files.items()}
        return llama(name, num_hidden_layers=2, files=data)

    parents = by_ref(parent("org/a", config), parent("org/b", other))
    for recipe in recipes:
        with suppress(PlanError):
            json.loads(make_plan(recipe, parents, catalogue()).files["config.json"])


@pytest.mark.parametrize(
    "file", ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json"]
)
def test_text_that_cannot_be_written_is_refused_where_it_is_read(
    recipes: list[Recipe], file: str
) -> None:
    tokenizer = {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    files: dict[str, dict[str, Any]] = {
        "config.json": LLAMA,
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {},
    }
    files = {**files, file: {**files.get(file, {}), "odd": "\ud800"}}
    data = {path: json.dumps(value).encode() for path, value in files.items()}
    parents = by_ref(llama("org/a", files=data), llama("org/b"))
    with pytest.raises(PlanError, match=f"{file} of org/a has half of a surrogate pair at 'odd'"):
        make_plan(recipes[0], parents, catalogue())


def test_a_local_parent_with_an_adapter_beside_its_weights_is_refused(tmp_path: Path) -> None:
    files = {"adapter_config.json": b"{}"}
    text = "merge_method: passthrough\nmodels: [{model: PATH}]\n"
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, text.replace("PATH", "./a"), llama("./a", files=files))
    (problem,) = caught.value.problems()
    assert "holds a LoRA adapter (adapter_config.json) beside its weights" in problem.message
    assert "`./a+./adapter`" in (problem.hint or "")
    assert plan_of(tmp_path, text.replace("PATH", "org/a"), llama("org/a", files=files)).jobs
