"""Heads that are, for some or all parents, the embedding under another name."""

from __future__ import annotations

import json

from bot.checkpoint.tensor import Dtype, TensorSpec
from bot.plan.model import Plan
from tests.plan.parents import llama
from tests.plan.recipes import plan_of

LINEAR = """
merge_method: linear
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
"""
HEAD = {
    "lm_head.weight": TensorSpec(name="lm_head.weight", dtype=Dtype.F32, shape=(32, 16)),
}


def heads(plan: Plan) -> list[str]:
    return [
        slot.tensor
        for job in plan.jobs
        if job.output.name == "lm_head.weight"
        for slot in job.inputs
    ]


def tied(plan: Plan) -> bool:
    return json.loads(plan.files["config.json"])["tie_word_embeddings"]


def test_tied_everywhere_has_no_head(tmp_path) -> None:
    pair = [llama(f"org/{m}", head=False, tie_word_embeddings=True) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert heads(plan) == []
    assert tied(plan)


def test_a_stored_but_tied_head_is_merged_once_as_the_embedding(tmp_path) -> None:
    pair = [llama(f"org/{m}", tensors=HEAD, tie_word_embeddings=True) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert heads(plan) == []
    assert tied(plan)
    assert "lm_head.weight" in plan.warnings[0]


def test_tied_with_untied_reads_the_embedding_and_unties_the_output(tmp_path) -> None:
    plan = plan_of(
        tmp_path,
        LINEAR,
        llama("org/a", head=False, tie_word_embeddings=True),
        llama("org/b"),
    )
    assert heads(plan) == ["model.embed_tokens.weight", "lm_head.weight"]
    assert not tied(plan)


def test_filters_of_a_tied_head_speak_of_the_head(tmp_path) -> None:
    text = LINEAR.replace("weight: 1", "weight: [{filter: lm_head, value: 5}, {value: 1}]")
    tied_parent = llama("org/a", head=False, tie_word_embeddings=True)
    jobs = plan_of(tmp_path, text, tied_parent, llama("org/b")).jobs
    weights = {job.output.name: job.parameters["weight"] for job in jobs}
    assert weights["lm_head.weight"] == (5, 5)
    assert weights["model.embed_tokens.weight"] == (1, 1)


def test_a_head_the_config_does_not_speak_of(tmp_path) -> None:
    pair = [llama(f"org/{m}", head=m == "b", tie_word_embeddings=None) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert heads(plan) == ["model.embed_tokens.weight", "lm_head.weight"]


def test_slices_take_the_head_from_the_last_and_the_embedding_from_the_first(tmp_path) -> None:
    text = """
merge_method: passthrough
slices:
  - sources: [{model: org/a, layer_range: [0, 2]}]
  - sources: [{model: org/b, layer_range: [2, 4]}]
"""
    plan = plan_of(tmp_path, text, llama("org/a"), llama("org/b"))
    origin = {job.output.name: job.models[0].source for job in plan.jobs}
    assert origin["model.embed_tokens.weight"] == "a"
    assert origin["model.norm.weight"] == origin["lm_head.weight"] == "b"
