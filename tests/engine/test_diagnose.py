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
from bot.pipeline.forecast import diagnose_recipe
from bot.recipe.load_recipe import load_recipe
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


def test_orthogonal_task_vectors_are_not_sent_to_elect_signs(tmp_path: Path) -> None:
    """Half of the signs disagree at right angles, by chance; that is no conflict."""
    plain = diagnosed(tmp_path / "plain", (random_tensors(1, SHAPES), random_tensors(2, SHAPES)))
    (head,) = (group for group in plain.modules if group.module == "head")
    assert head.conflict == pytest.approx(0.5, abs=0.05)
    assert any("almost orthogonal" in line for line in plain.reading)
    assert not any("elects signs" in line for line in plain.reading)


def test_signs_that_disagree_more_than_the_angle_says_are_told(tmp_path: Path) -> None:
    """Eight of nine small changes disagree; the large ninth makes up for them in the cosine."""
    step = {key: 0.1 * np.abs(value) + 0.05 for key, value in random_tensors(1, SHAPES).items()}
    large = {
        key: np.arange(value.size).reshape(value.shape) % 9 == 0 for key, value in step.items()
    }
    one = {key: np.where(large[key], 3 * value, value) for key, value in step.items()}
    two = {key: np.where(large[key], 3 * value, -value) for key, value in step.items()}
    found = diagnosed(tmp_path, (one, two))
    a, b = (np.concatenate([np.ravel(tune[key]) for key in SHAPES]) for tune in (one, two))
    assert abs(a @ b / (a @ a)) < 0.1
    assert any("signs disagree at 8" in line for line in found.reading)


def test_a_model_equal_to_its_base_is_named(tmp_path: Path) -> None:
    nothing = {key: np.zeros(shape, np.float32) for key, shape in SHAPES.items()}
    step = random_tensors(1, SHAPES)
    found = diagnosed(tmp_path, (nothing, step))
    assert "where it was sampled, first is equal to the base base: it teaches nothing" in (
        found.reading
    )
    base = random_tensors(0, SHAPES)
    ratios = [
        np.linalg.norm((base[key] + step[key]).astype(np.float32) - base[key].astype(np.float64))
        / np.linalg.norm(base[key].astype(np.float64))
        for key in SHAPES
        if base[key].any()
    ]
    first, second = found.models
    assert (first.model, first.delta, second.model) == ("first", 0, "second")
    assert second.delta == pytest.approx(np.mean(ratios), rel=1e-5)
    assert any(f"second {100 * second.delta:.1f} %" in line for line in found.reading)


def test_equal_models_are_named_once(tmp_path: Path) -> None:
    step = random_tensors(1, SHAPES)
    found = diagnosed(tmp_path, (step, step))
    told = [line for line in found.reading if " equal" in line]
    assert told == ["where they were sampled, first and second are equal: one model counts twice"]


def test_slerp_is_lerp_between_opposite_vectors_as_in_slerp_itself(tmp_path: Path) -> None:
    base = random_tensors(0, SHAPES)
    diagnosed(tmp_path, ({key: -2 * value for key, value in base.items()},) * 2)
    slerp = "merge_method: slerp\nbase_model: ./base\nmodels: [{model: ./first}]\n"
    (tmp_path / "recipe.yaml").write_text(slerp + "parameters: {t: 0.5}\n")
    found = diagnose_recipe(load_recipe(tmp_path / "recipe.yaml"), silent)
    assert all(group.lerp == 1 for group in found.groups)


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
NUSLERP = LINEAR.replace("linear", "nuslerp")
ALONE = "merge_method: passthrough\nmodels: [{model: ./first}]\n"


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (LINEAR, "linear does not use a base model"),
        ("base_model: ./base\n" + LINEAR, "linear does not use a base model"),
        (NUSLERP, "without a base model"),
        (ALONE, "nothing to compare"),
    ],
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
        ("a.007.b", None, "other"),
        ("transformer.h.2.attn.ln_q.weight", 2, "norm"),
    ],
)
def test_names_tell_layer_and_module(tensor: str, layer: int | None, module: str) -> None:
    assert (layer_of(tensor), module_of(tensor)) == (layer, module)
