"""Heads that are, for some or all parents, the embedding under another name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.errors import PlanError
from bot.plan.merge_plan import Plan
from bot.plan.parent_model import Parent
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
    found: bool = json.loads(plan.files["config.json"])["tie_word_embeddings"]
    return found


def test_tied_everywhere_has_no_head(tmp_path: Path) -> None:
    pair = [llama(f"org/{m}", head=False, tie_word_embeddings=True) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert heads(plan) == []
    assert tied(plan)


def test_a_stored_but_tied_head_is_merged_once_as_the_embedding(tmp_path: Path) -> None:
    pair = [llama(f"org/{m}", tensors=HEAD, tie_word_embeddings=True) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert heads(plan) == []
    assert tied(plan)
    assert "lm_head.weight" in plan.warnings[0]


def test_tied_with_untied_reads_the_embedding_and_unties_the_output(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        LINEAR,
        llama("org/a", head=False, tie_word_embeddings=True),
        llama("org/b"),
    )
    assert heads(plan) == ["model.embed_tokens.weight", "lm_head.weight"]
    assert not tied(plan)


def test_filters_of_a_tied_head_speak_of_the_head(tmp_path: Path) -> None:
    text = LINEAR.replace("weight: 1", "weight: [{filter: lm_head, value: 5}, {value: 1}]")
    tied_parent = llama("org/a", head=False, tie_word_embeddings=True)
    jobs = plan_of(tmp_path, text, tied_parent, llama("org/b")).jobs
    weights = {job.output.name: job.parameters["weight"] for job in jobs}
    assert weights["lm_head.weight"] == (5, 5)
    assert weights["model.embed_tokens.weight"] == (1, 1)


def test_a_head_the_config_does_not_speak_of(tmp_path: Path) -> None:
    pair = [llama(f"org/{m}", head=m == "b", tie_word_embeddings=None) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert heads(plan) == ["model.embed_tokens.weight", "lm_head.weight"]


def test_a_missing_head_that_is_not_the_embedding_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"org/a lacks lm_head\.weight"):
        plan_of(tmp_path, LINEAR, llama("org/a", head=False), llama("org/b"))


def test_slices_take_the_head_from_the_last_and_the_embedding_from_the_first(
    tmp_path: Path,
) -> None:
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


STACK = """
merge_method: passthrough
base_model: {base}
slices:
  - sources: [{{model: org/{first}, layer_range: [0, 2]}}]
  - sources: [{{model: org/{last}, layer_range: [2, 4]}}]
"""


def tying(name: str, **given: Any) -> Parent:
    return llama(f"org/{name}", head=False, tie_word_embeddings=True, **given)


def stacked(tmp_path: Path, first: Parent, last: Parent, base: str | None = None) -> Plan:
    names = {"first": first.key, "last": last.key}
    text = STACK.format(base=f"org/{base or first.key}", **names)
    extra = [] if base in (None, *names.values()) else [llama(f"org/{base}")]
    return plan_of(tmp_path, text, first, last, *extra)


def origin(plan: Plan) -> list[tuple[str, str]]:
    jobs = [job for job in plan.jobs if job.output.name == "lm_head.weight"]
    return [(slot.source, slot.tensor) for job in jobs for slot in job.inputs]


def test_an_untied_models_embedding_under_a_tied_ones_layers(tmp_path: Path) -> None:
    for base in "ab":
        plan = stacked(tmp_path, llama("org/a"), tying("b"), base)
        assert origin(plan) == [("b", "model.embed_tokens.weight")]
        assert not tied(plan)
        assert not plan.warnings


def test_a_tied_models_stored_head_is_not_its_head(tmp_path: Path) -> None:
    stored = llama("org/b", tensors=HEAD, tie_word_embeddings=True)
    plan = stacked(tmp_path, llama("org/a"), stored)
    assert origin(plan) == [("b", "model.embed_tokens.weight")]
    assert not tied(plan)


def test_a_tied_models_embedding_under_an_untied_ones_layers(tmp_path: Path) -> None:
    plan = stacked(tmp_path, tying("a"), llama("org/b"))
    assert origin(plan) == [("b", "lm_head.weight")]
    assert not tied(plan)


def test_models_that_tie_under_the_config_of_one_that_does_not(tmp_path: Path) -> None:
    text = LINEAR.replace("models:", "base_model: org/c\nmodels:")
    plan = plan_of(tmp_path, text, tying("a"), tying("b"), llama("org/c"))
    assert origin(plan) == []
    assert tied(plan)


def test_models_that_do_not_tie_under_the_config_of_one_that_does(tmp_path: Path) -> None:
    text = LINEAR.replace("models:", "base_model: org/c\nmodels:")
    plan = plan_of(tmp_path, text, llama("org/a"), llama("org/b"), tying("c"))
    assert heads(plan) == ["lm_head.weight"] * 2
    assert not tied(plan)


def test_a_stack_of_tied_models_keeps_one_embedding_and_says_whose(tmp_path: Path) -> None:
    plan = stacked(tmp_path, tying("a"), tying("b"), "c")
    assert origin(plan) == []
    assert tied(plan)
    assert "comes from org/a, not from org/b" in plan.warnings[0]


def test_a_model_that_has_no_head_gets_none(tmp_path: Path) -> None:
    pair = [llama(f"org/{m}", head=False, tie_word_embeddings=None) for m in "ab"]
    plan = plan_of(tmp_path, LINEAR, *pair)
    assert origin(plan) == []
    assert json.loads(plan.files["config.json"])["tie_word_embeddings"] is None
