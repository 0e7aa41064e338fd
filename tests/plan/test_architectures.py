"""Tensor names of many architectures, taken from transformers itself on the meta device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.plan.parent_model import Parent
from bot.recipe.recipe import ModelRef
from tests.plan.parents import HeaderSource
from tests.plan.recipes import plan_of

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "head_dim": 4,
}
ARCHITECTURES = {
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 4, "vocab_size": 64},
    "gpt_neox": SMALL,
    "opt": {**SMALL, "ffn_dim": 32, "word_embed_proj_dim": 16},
    "bloom": {"hidden_size": 16, "n_layer": 3, "n_head": 4, "vocab_size": 64},
    "falcon": {
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "vocab_size": 64,
    },
    "phi": SMALL,
    "gemma2": SMALL,
    "qwen3": SMALL,
    "mixtral": {**SMALL, "num_local_experts": 2},
    "mamba": {"hidden_size": 16, "num_hidden_layers": 3, "vocab_size": 64, "state_size": 4},
}
LINEAR = """
merge_method: linear
models:
  - {model: org/a, parameters: {weight: [0, 1]}}
  - {model: org/b, parameters: {weight: 1}}
"""
STACK = """
merge_method: passthrough
slices:
  - sources: [{model: org/a, layer_range: [0, 2]}]
  - sources: [{model: org/b, layer_range: [1, 3]}]
"""


def parents(
    kind: str, settings: dict[str, Any], auto: Any = AutoModelForCausalLM
) -> tuple[dict[str, TensorSpec], list[Parent]]:
    """A header as transformers would write it: a tied head is stored once."""
    config = AutoConfig.for_model(kind, **settings)
    with torch.device("meta"):
        model = auto.from_config(config)
    tied = set(getattr(model, "all_tied_weights_keys", {}))
    header = {
        name: TensorSpec(name=name, dtype=Dtype.F32, shape=tuple(tensor.shape))
        for name, tensor in model.state_dict().items()
        if name not in tied
    }
    files = {"config.json": json.dumps(config.to_dict()).encode()}
    return header, [
        Parent(key=key, ref=ModelRef(path=f"org/{key}"), source=HeaderSource(header, files))
        for key in "ab"
    ]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_merging_and_stacking(tmp_path: Path, kind: str) -> None:
    header, pair = parents(kind, ARCHITECTURES[kind])
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert {job.output.name for job in plan.jobs} == set(header)
    assert not plan.warnings
    weights: dict[str, Any] = {job.output.name: job.parameters["weight"] for job in plan.jobs}
    first = {name: weight[0] for name, weight in weights.items()}
    in_layers = [name for name in header if ".1." in name or name.startswith("h.1.")]
    assert in_layers
    assert {first[name] for name in in_layers} == {0.5}
    embedding = plan.jobs[0].output
    assert embedding.shape[0] == 64

    stacked = plan_of(tmp_path, STACK, *pair)
    assert len(stacked.jobs) == len(header) + len(in_layers)
    config = json.loads(stacked.files["config.json"])
    with torch.device("meta"):
        made = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    shapes = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    for job in stacked.jobs:
        assert shapes[job.output.name] == job.output.shape


def test_slices_of_a_vision_language_model_cut_its_language_model(tmp_path: Path) -> None:
    tower = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3}
    settings = {
        "text_config": {**SMALL, "model_type": "llama"},
        "vision_config": {**tower, "num_attention_heads": 2, "model_type": "clip_vision_model"},
    }
    header, pair = parents("llava", settings, AutoModelForImageTextToText)
    tower_names = {name for name in header if "vision_tower" in name}
    assert tower_names
    merged = plan_of(tmp_path, LINEAR, *pair)
    assert {job.output.name for job in merged.jobs} == set(header)
    stacked = plan_of(tmp_path, STACK, *pair)
    kept = {job.output.name: job for job in stacked.jobs if job.output.name in tower_names}
    assert set(kept) == tower_names
    assert {job.models[0].source for job in kept.values()} == {"a"}
    config = json.loads(stacked.files["config.json"])
    assert config["text_config"]["num_hidden_layers"] == 4
    assert config["vision_config"]["num_hidden_layers"] == 3
