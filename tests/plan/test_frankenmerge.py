"""Layer stacking: known recipes' block maps and sizes from configs alone, identity, order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.checkpoint.tensor_spec import Dtype
from bot.errors import PlanError
from bot.plan.merge_plan import Plan
from bot.plan.parent_model import Parent
from tests.plan.parents import LLAMA, header, llama, llama_shapes
from tests.plan.recipes import plan_of

LLAMA_70B: dict[str, Any] = {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}
MISTRAL_7B: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}
LLAMA_8B = MISTRAL_7B | {"vocab_size": 128256}


def stacked(*ranges: tuple[str, int, int]) -> str:
    lines = ["merge_method: passthrough", "slices:"]
    for model, start, stop in ranges:
        lines.append(f"  - sources: [{{model: {model}, layer_range: [{start}, {stop}]}}]")
    return "\n".join(lines) + "\n"


def parameters(plan: Plan) -> int:
    return sum(job.output.elements for job in plan.jobs)


def test_goliath_has_137_blocks_and_118_billion_parameters(tmp_path: Path) -> None:
    names = {"X": "org/xwin", "E": "org/euryale"}
    ranges = [
        (names["XE"[position % 2]], start, stop)
        for position, (start, stop) in enumerate(
            [(0, 16), (8, 24), (17, 32), (25, 40), (33, 48), (41, 56), (49, 64), (57, 72), (65, 80)]
        )
    ]
    row_sources = [llama(name, dtype=Dtype.F16, **LLAMA_70B) for name in names.values()]
    plan = plan_of(tmp_path, stacked(*ranges), *row_sources)
    assert json.loads(plan.files["config.json"])["num_hidden_layers"] == 137
    assert parameters(plan) == 137 * 855_654_400 + 2 * 32000 * 8192 + 8192
    assert {job.method for job in plan.jobs} == {None}
    edges = {job.output.name: job.models[0].source for job in plan.jobs if "layers" not in str(job)}
    assert set(edges.values()) == {"xwin"}
    used = {int(job.models[0].tensor.split(".")[2]) for job in plan.jobs if ".layers." in str(job)}
    assert used == set(range(80))


def test_solar_has_48_blocks_and_10_73_billion_parameters(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        stacked(("org/m", 0, 24), ("org/m", 8, 32)),
        llama("org/m", dtype=Dtype.BF16, **MISTRAL_7B),
    )
    assert parameters(plan) == 48 * 218_112_000 + 2 * 32000 * 4096 + 4096
    origin = {
        int(job.output.name.split(".")[2]): int(job.models[0].tensor.split(".")[2])
        for job in plan.jobs
        if ".layers." in job.output.name
    }
    assert [origin[index] for index in range(48)] == [*range(24), *range(8, 32)]


def test_one_full_slice_is_the_donor(tmp_path: Path) -> None:
    config_source = llama("org/a")
    plan = plan_of(tmp_path, stacked(("org/a", 0, 4)), config_source)
    assert {job.output.name for job in plan.jobs} == set(config_source.source.tensors())
    assert all(job.method is None and job.models[0].tensor == job.output.name for job in plan.jobs)
    assert plan.budget.input_bytes == plan.budget.output_bytes


def test_scale_and_another_dtype_are_no_byte_copies(tmp_path: Path) -> None:
    scaled = stacked(("org/a", 0, 4)) + "parameters: {scale: [{filter: o_proj, value: 0}]}\n"
    jobs = plan_of(tmp_path, scaled, llama("org/a")).jobs
    assert {job.method for job in jobs if "o_proj" in job.output.name} == {"passthrough"}
    assert {job.method for job in jobs if "o_proj" not in job.output.name} == {None}
    cast = plan_of(tmp_path, stacked(("org/a", 0, 4)) + "dtype: bfloat16\n", llama("org/a"))
    assert {job.method for job in cast.jobs} == {"passthrough"}
    assert cast.jobs[0].parameters["scale"] == (1.0,)


def test_two_layer_ranges_of_one_model_in_one_slice(tmp_path: Path) -> None:
    text = """
merge_method: linear
slices:
  - sources:
      - {model: org/a, layer_range: [0, 2], parameters: {weight: 0.25}}
      - {model: org/a, layer_range: [2, 4], parameters: {weight: 0.75}}
"""
    plan = plan_of(tmp_path, text, llama("org/a"))
    job = next(job for job in plan.jobs if job.output.name == "model.layers.1.mlp.up_proj.weight")
    assert [slot.tensor.split(".")[2] for slot in job.models] == ["1", "3"]
    assert job.parameters["weight"] == (0.25, 0.75)


def test_other_towers_are_the_donors_in_slices(tmp_path: Path) -> None:
    tower = header({f"vision_tower.layers.{index}.weight": (5,) for index in range(3)})
    plan = plan_of(
        tmp_path, stacked(("org/a", 0, 4), ("org/a", 1, 3)), llama("org/a", tensors=tower)
    )
    copied = [job.output.name for job in plan.jobs if "vision" in job.output.name]
    assert copied == list(tower)


def test_the_size_of_an_8_billion_parameter_merge(tmp_path: Path) -> None:
    text = """
merge_method: ties
base_model: org/base
models:
  - {model: org/a, parameters: {weight: [0.2, 0.8], density: 0.5}}
  - {model: org/b, parameters: {weight: 0.5, density: 0.5}}
dtype: bfloat16
"""
    row_sources = [
        llama(f"org/{name}", dtype=Dtype.BF16, **LLAMA_8B) for name in ("base", "a", "b")
    ]
    plan = plan_of(tmp_path, text, *row_sources)
    assert len(plan.jobs) == 291
    assert plan.budget.output_bytes == pytest.approx(16.06e9, rel=1e-3)
    assert plan.budget.download_bytes == 3 * plan.budget.output_bytes
    assert plan.budget.peak_memory_bytes < 1 << 30


SCOPED = """
merge_method: {method}
base_model: org/c
parameters: {{weight: 1, {parameter}}}
slices:
  - sources:
    - {{model: org/c, layer_range: [0, 2]}}
    - {{model: org/a, layer_range: [0, 2]}}
    - {{model: org/b, layer_range: [0, 2]}}
  - sources:
    - {{model: org/{x}, layer_range: [2, 4]}}
    - {{model: org/{y}, layer_range: [2, 4]}}
    - {{model: org/c, layer_range: [2, 4]}}
"""


@pytest.mark.parametrize(
    ("method", "parameter", "pair", "refused"),
    [
        ("ties", "density: 0.5, scope: model", "ba", True),
        ("ties", "density: 0.5, scope: model", "ad", True),
        ("ties", "density: 0.5, scope: model", "ab", False),
        ("ties", "density: 1, scope: model", "ba", False),
        ("ties", "density: 0.5", "ba", False),
    ],
)
def test_what_counts_over_the_model_needs_the_same_models_in_every_slice(
    tmp_path: Path, method: str, parameter: str, pair: str, refused: bool
) -> None:
    text = SCOPED.format(method=method, parameter=parameter, x=pair[0], y=pair[1])
    parents = [llama(f"org/{name}") for name in sorted({*"abc", *pair})]
    if refused:
        with pytest.raises(PlanError, match="statistic of the whole model") as caught:
            plan_of(tmp_path, text, *parents)
        assert f"org/c, org/a, org/b; org/c, org/{pair[0]}, org/{pair[1]}" in str(caught.value)
    else:
        assert plan_of(tmp_path, text, *parents).jobs


PREDICTING: dict[str, Any] = {"num_nextn_predict_layers": 1}


def predicting(path: str) -> Parent:
    """A model of four layers whose fifth is for multi-token prediction."""
    more = {
        name.replace("layers.3.", "layers.4."): shape
        for name, shape in llama_shapes(LLAMA).items()
        if "layers.3." in name
    }
    return llama(path, tensors=header(more), **PREDICTING)


def test_slices_take_no_layer_for_multi_token_prediction(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, stacked(("org/a", 0, 4), ("org/a", 3, 5)), predicting("org/a"))
    (problem,) = caught.value.problems()
    assert "slice 2: layer range [3, 5) of org/a" in problem.message
    assert "4 layers (layer 4 is for multi-token prediction)" in problem.message


def test_slices_leave_out_layers_for_multi_token_prediction(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, stacked(("org/a", 0, 4), ("org/a", 2, 4)), predicting("org/a"))
    config = json.loads(plan.files["config.json"])
    assert (config["num_hidden_layers"], config["num_nextn_predict_layers"]) == (6, 0)
    assert any("num_nextn_predict_layers is 0" in warning for warning in plan.warnings)


def test_whole_models_keep_their_layers_for_multi_token_prediction(tmp_path: Path) -> None:
    text = "merge_method: passthrough\nmodels: [{model: org/a}]\n"
    plan = plan_of(tmp_path, text, predicting("org/a"))
    assert any("layers.4." in job.output.name for job in plan.jobs)
    config = json.loads(plan.files["config.json"])
    assert (config["num_hidden_layers"], config["num_nextn_predict_layers"]) == (4, 1)


def test_an_empty_slice_in_the_middle_is_told_and_empty_slices_alone_are_refused(
    tmp_path: Path,
) -> None:
    empty = stacked(("org/a", 0, 2), ("org/a", 2, 2), ("org/a", 2, 4))
    plan = plan_of(tmp_path, empty, llama("org/a"))
    assert "slice 2 holds no layer and changes nothing" in plan.warnings
    with pytest.raises(PlanError, match="the slices hold no layer"):
        plan_of(tmp_path, stacked(("org/a", 1, 1)), llama("org/a"))
