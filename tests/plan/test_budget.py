"""What a merge will cost, counted again from the tensors themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.methods.core.all_methods import catalogue
from bot.plan.budget import Resources
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.load_recipe import load_recipe
from bot.recipe.recipe import ModelRef
from tests.plan.parents import HeaderSource, by_ref, llama
from tests.plan.recipes import plan_of

LINEAR = """
merge_method: linear
dtype: float16
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
"""


def size(parent: Parent) -> int:
    return sum(spec.nbytes for spec in parent.source.tensors().values())


def test_bytes(tmp_path: Path) -> None:
    parents = llama("org/a"), llama("org/b", dtype=Dtype.BF16)
    cost = plan_of(tmp_path, LINEAR, *parents).budget
    assert cost.input_bytes == cost.download_bytes == sum(map(size, parents))
    assert cost.output_bytes == size(parents[1])
    assert cost.peak_memory_bytes < 1 << 28


def test_a_layer_used_twice_is_fetched_once_and_local_models_never(tmp_path: Path) -> None:
    def stack(model: str) -> str:
        parts = [f"  - sources: [{{model: {model}, layer_range: [0, 4]}}]" for _ in range(2)]
        return "\n".join(["merge_method: passthrough", "slices:", *parts])

    parent = llama("org/a")
    cost = plan_of(tmp_path, stack("org/a"), parent).budget
    assert cost.download_bytes == size(parent)
    assert cost.input_bytes == cost.output_bytes > cost.download_bytes
    assert plan_of(tmp_path, stack("/models/a"), llama("/models/a")).budget.download_bytes == 0


def test_time_follows_the_stated_throughput(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(LINEAR)
    parents = by_ref(llama("org/a", vocab_size=4096), llama("org/b", vocab_size=4096))
    slow, fast = (
        make_plan(
            load_recipe(file), parents, catalogue(), resources=Resources(throughput=rate)
        ).budget
        for rate in (1e4, 1e5)
    )
    moved = slow.input_bytes + slow.output_bytes
    assert slow.seconds - fast.seconds == pytest.approx(moved / 1e4 - moved / 1e5)


def test_memory_grows_with_models_and_not_with_their_size(tmp_path: Path) -> None:
    def peak(**config: Any) -> int:
        pair = llama("org/a", **config), llama("org/b", **config)
        return plan_of(tmp_path, LINEAR, *pair).budget.peak_memory_bytes

    large: dict[str, Any] = {"hidden_size": 4096, "intermediate_size": 16384}
    assert peak(**large) == peak(**large, vocab_size=1 << 20) < 1 << 30


def test_a_number_without_axes_costs_its_bytes(tmp_path: Path) -> None:
    def parent(name: str) -> Parent:
        spec = TensorSpec(name="model.scale", dtype=Dtype.F32, shape=())
        source = HeaderSource({spec.name: spec}, {"config.json": b"{}"}, name)
        ref = ModelRef(path=name)
        return Parent(key=name, ref=ref, source=source)

    assert plan_of(tmp_path, LINEAR, parent("org/a"), parent("org/b")).budget.input_bytes == 8


SPECTRAL = LINEAR.replace("linear", "METHOD\nbase_model: org/base")


@pytest.mark.parametrize("method", ["tsv_m", "knots", "wudi", "iso_c"])
def test_spectral_methods_cost_what_their_largest_matrices_do(tmp_path: Path, method: str) -> None:
    wide: dict[str, Any] = {"hidden_size": 1024, "intermediate_size": 4096, "vocab_size": 256}
    family = [llama(name, **wide) for name in ("org/base", "org/a", "org/b")]
    spectral = plan_of(tmp_path, SPECTRAL.replace("METHOD", method), *family)
    linear = plan_of(tmp_path, SPECTRAL.replace("METHOD", "task_arithmetic"), *family)
    matrices = [
        job.output.shape
        for job in spectral.jobs
        if len(job.output.shape) == 2 and "layers" in job.output.name
    ]
    per_unit = (spectral.budget.seconds - linear.budget.seconds) / sum(
        rows * columns * min(rows, columns) for rows, columns in matrices
    )
    assert 4e-10 < per_unit < 4e-9  # what was measured for two models, on one core of two
    copies = 2 * (8 + 4 * 2) * 8 * max(rows * columns for rows, columns in matrices)
    assert copies < spectral.budget.peak_memory_bytes < 2 * copies


def test_what_is_not_decomposed_costs_no_decomposition(tmp_path: Path) -> None:
    def seconds(**config: Any) -> float:
        family = [llama(name, **config) for name in ("org/base", "org/a", "org/b")]
        return plan_of(tmp_path, SPECTRAL.replace("METHOD", "tsv_m"), *family).budget.seconds

    assert seconds(vocab_size=1 << 16) - seconds(vocab_size=1 << 8) < 0.1
