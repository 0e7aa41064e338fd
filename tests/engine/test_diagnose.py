"""What diagnosis says about models whose relation is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bot.engine.diagnose import Diagnosis, layer_of, module_of, sampled_ranges
from bot.errors import NonFiniteError
from bot.events import silent
from bot.recipe.load import load_recipe
from bot.runner.forecast import diagnose_recipe
from tests.checkpoint.models import random_tensors, write_model
from tests.plan.parents import LLAMA, llama_shapes

SHAPES = llama_shapes(LLAMA)
RECIPE = """\
merge_method: task_arithmetic
base_model: ./base
models:
  - {model: ./first, parameters: {weight: 0.5}}
  - {model: ./second, parameters: {weight: 0.5}}
"""


def diagnosed(folder: Path, steps: tuple[Mapping[str, np.ndarray], ...]) -> Diagnosis:
    base = random_tensors(0, SHAPES)
    files = {"config.json": json.dumps(LLAMA).encode()}
    write_model(folder / "base", base, files)
    for name, step in zip(("first", "second"), steps, strict=True):
        tuned = {key: (value + step[key]).astype(np.float32) for key, value in base.items()}
        write_model(folder / name, tuned, files)
    (folder / "recipe.yaml").write_text(RECIPE)
    return diagnose_recipe(load_recipe(folder / "recipe.yaml"), silent)


def test_norms_cosines_and_conflicts_are_those_of_the_tensors(tmp_path: Path) -> None:
    one, two = random_tensors(1, SHAPES), random_tensors(2, SHAPES)
    found = diagnosed(tmp_path, (one, two))
    base = random_tensors(0, SHAPES)
    name = "lm_head.weight"
    head = next(group for group in found.groups if group.module == "head")
    a = ((base[name] + one[name]).astype(np.float32) - base[name]).astype(np.float64)
    b = ((base[name] + two[name]).astype(np.float32) - base[name]).astype(np.float64)
    size = np.linalg.norm(base[name].astype(np.float64))
    assert head.delta == pytest.approx((np.linalg.norm(a) + np.linalg.norm(b)) / 2 / size, rel=1e-6)
    assert head.cosine == pytest.approx((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))
    assert head.conflict == pytest.approx((np.sign(a) != np.sign(b)).mean())


def test_the_reading_names_what_stands_out(tmp_path: Path) -> None:
    step = {key: 0.1 * value for key, value in random_tensors(1, SHAPES).items()}
    same = diagnosed(tmp_path / "same", (step, step))
    assert any("point the same way" in line for line in same.reading)
    opposite = {key: -value for key, value in step.items()}
    against = diagnosed(tmp_path / "against", (step, opposite))
    assert any("pull against each other" in line for line in against.reading)
    assert any("elects signs" in line for line in against.reading)


def test_equal_models_give_no_numbers_out_of_nothing(tmp_path: Path) -> None:
    nothing = {key: np.zeros(shape, np.float32) for key, shape in SHAPES.items()}
    found = diagnosed(tmp_path, (nothing, nothing))
    assert all(group.delta == 0 and group.cosine is None for group in found.modules)
    assert any("slerp is lerp on 100 %" in line for line in found.reading)
    assert any("equal to their base" in line for line in found.reading)


LINEAR = """\
merge_method: linear
models:
  - {model: ./first, parameters: {weight: 0.5}}
  - {model: ./second, parameters: {weight: 0.5}}
"""
ALONE = "merge_method: passthrough\nmodels: [{model: ./first}]\n"


@pytest.mark.parametrize(
    ("recipe", "told"), [(LINEAR, "without a base model"), (ALONE, "nothing to compare")]
)
def test_without_a_base_nothing_is_said_to_have_moved(
    tmp_path: Path, recipe: str, told: str
) -> None:
    diagnosed(tmp_path, (random_tensors(1, SHAPES), random_tensors(2, SHAPES)))
    (tmp_path / "recipe.yaml").write_text(recipe)
    found = diagnose_recipe(load_recipe(tmp_path / "recipe.yaml"), silent)
    assert all(group.delta is None for group in found.groups)
    assert [line for line in found.reading if told in line]


def test_a_nan_is_an_error_and_no_number(tmp_path: Path) -> None:
    steps = random_tensors(1, SHAPES), random_tensors(2, SHAPES)
    steps[1]["model.norm.weight"][3] = np.nan
    with pytest.raises(NonFiniteError, match=r"second: tensor 'model.norm.weight'.*element 3 of"):
        diagnosed(tmp_path, steps)


def test_samples_are_few_and_spread_over_the_whole_tensor() -> None:
    ranges = sampled_ranges(10**9)
    assert sum(stop - start for start, stop in ranges) == 8 * 4096
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 10**9
    assert sampled_ranges(100) == [(0, 100)]
    assert sampled_ranges(0) == []


@pytest.mark.parametrize(
    ("tensor", "layer", "module"),
    [
        ("model.layers.17.self_attn.q_proj.weight", 17, "attention"),
        ("model.layers.3.post_attention_layernorm.weight", 3, "norm"),
        ("model.layers.0.mlp.gate_proj.weight", 0, "mlp"),
        ("model.embed_tokens.weight", None, "embedding"),
        ("lm_head.weight", None, "head"),
    ],
)
def test_names_tell_layer_and_module(tensor: str, layer: int | None, module: str) -> None:
    assert (layer_of(tensor), module_of(tensor)) == (layer, module)
