from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.checkpoint.tensor_spec import Dtype
from tests.plan.parents import llama
from tests.plan.recipes import plan_of

LINEAR = """
merge_method: linear
models:
  - model: org/a
    parameters: {weight: 0.25}
  - model: org/b
    parameters: {weight: [0.0, 1.0]}
dtype: bfloat16
"""


def test_models_form_plans_every_tensor_in_reading_order(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, LINEAR, llama("org/a"), llama("org/b"))
    names = [job.output.name for job in plan.jobs]
    assert names[0] == "model.embed_tokens.weight"
    assert names[-2:] == ["model.norm.weight", "lm_head.weight"]
    layers = [int(name.split(".")[2]) for name in names if ".layers." in name]
    assert layers == sorted(layers)
    assert len(names) == 3 + 4 * 9
    assert {job.output.dtype for job in plan.jobs} == {Dtype.BF16}
    config = json.loads(plan.files["config.json"])
    assert config["torch_dtype"] == "bfloat16"
    assert "_name_or_path" not in config


def test_gradients_follow_depth_and_stand_at_zero_outside_layers(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, LINEAR, llama("org/a"), llama("org/b"))
    weight = {job.output.name: job.parameters["weight"] for job in plan.jobs}
    assert weight["model.embed_tokens.weight"] == (0.25, 0.0)
    assert weight["lm_head.weight"] == (0.25, 0.0)
    for layer in range(4):
        found: object = weight[f"model.layers.{layer}.mlp.up_proj.weight"]
        assert found == (0.25, pytest.approx(layer / 3))


def test_base_takes_its_slot_and_needs_no_weight(tmp_path: Path) -> None:
    text = """
merge_method: ties
base_model: org/base
models:
  - model: org/a
    parameters: {weight: 1.0, density: 0.5}
  - model: org/base
"""
    plan = plan_of(tmp_path, text, llama("org/a"), llama("org/base"))
    job = plan.jobs[0]
    assert job.base is not None
    assert (job.base.source, [slot.source for slot in job.models]) == ("base", ["a"])
    assert job.parameters["density"] == (0.5,)
    assert plan.config_source == "base"
