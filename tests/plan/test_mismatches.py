"""Every way in which parents may not fit: found together, named, with a next step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.errors import PlanError
from bot.methods.core.all_methods import catalogue
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan
from bot.recipe.recipe import ModelInput, ModelRef, Recipe, Schedule, ScheduleRow, Slice
from tests.plan.parents import LLAMA, HeaderSource, by_ref, llama, llama_shapes
from tests.plan.recipes import plan_of
from tests.present import present

LINEAR = """
merge_method: linear
models:
  - {model: org/a, parameters: {weight: 1}}
  - {model: org/b, parameters: {weight: 1}}
"""
TASK = """
merge_method: task_arithmetic
base_model: org/base
models:
  - {model: org/a, parameters: {weight: 1}}
"""


def failure(tmp_path: Path, text: str, *parents: Parent) -> PlanError:
    with pytest.raises(PlanError) as caught:
        plan_of(tmp_path, text, *parents)
    assert all(problem.file and problem.hint for problem in caught.value.problems())
    return caught.value


def without(parent: Parent, *names: str) -> Parent:
    tensors = {k: v for k, v in parent.source.tensors().items() if k not in names}
    files = {"config.json": present(parent.source.file("config.json"))}
    return Parent(key=parent.key, ref=parent.ref, source=HeaderSource(tensors, files))


def with_dtype(name: str, dtype: Dtype) -> dict[str, TensorSpec]:
    return {name: TensorSpec(name=name, dtype=dtype, shape=llama_shapes(LLAMA)[name])}


def test_missing_tensors_name_model_and_tensors(tmp_path: Path) -> None:
    gone = [f"model.layers.{index}.mlp.up_proj.weight" for index in (1, 2)]
    error = failure(tmp_path, LINEAR, llama("org/a"), without(llama("org/b"), *gone))
    assert "org/b lacks" in error.message
    assert all(name in error.message for name in gone)


def test_a_base_without_a_tensor_is_a_problem(tmp_path: Path) -> None:
    base = without(llama("org/base"), "model.norm.weight")
    assert (
        "org/base lacks model.norm.weight" in failure(tmp_path, TASK, llama("org/a"), base).message
    )


def test_a_whole_block_may_be_missing(tmp_path: Path) -> None:
    lost = [n for n in llama("org/b").source.tensors() if n.startswith("model.layers.2.")]
    error = failure(tmp_path, LINEAR, llama("org/a"), without(llama("org/b"), *lost))
    assert "org/b" in error.message
    assert "layers" in error.message


def test_shapes_and_widths(tmp_path: Path) -> None:
    error = failure(tmp_path, LINEAR, llama("org/a"), llama("org/b", intermediate_size=28))
    assert "mlp.down_proj.weight" in error.message
    assert "org/b [16, 28]" in error.message
    error = failure(tmp_path, LINEAR, llama("org/a"), llama("org/b", hidden_size=32))
    assert "hidden_size differs: org/b has 32, org/a has 16" in error.message


def test_depths_of_models_form(tmp_path: Path) -> None:
    error = failure(tmp_path, LINEAR, llama("org/a"), llama("org/b", num_hidden_layers=5))
    assert "org/a: 4, org/b: 5" in error.message


def test_vocabulary_sizes_point_to_tokenizer_source(tmp_path: Path) -> None:
    error = failure(tmp_path, LINEAR, llama("org/a"), llama("org/b", vocab_size=40))
    assert "tokenizer_source: union" in (error.problems()[0].hint or "")


def test_embedding_head_and_tokenizer_come_from_different_vocabularies(tmp_path: Path) -> None:
    text = """
merge_method: passthrough
slices:
  - sources: [{model: org/a, layer_range: [0, 2]}]
  - sources: [{model: org/b, layer_range: [2, 4]}]
"""
    error = failure(tmp_path, text, llama("org/a"), llama("org/b", vocab_size=40))
    assert "model.embed_tokens.weight 32, lm_head.weight 40" in error.message
    unheard = LINEAR + "base_model: org/c\n"
    parents = [llama(f"org/{name}", vocab_size=40 if name == "c" else 32) for name in "abc"]
    assert "the embedding of org/c" in failure(tmp_path, unheard, *parents).message


def test_architectures(tmp_path: Path) -> None:
    other = llama("org/b", model_type="qwen2", architectures=["Qwen2ForCausalLM"])
    error = failure(tmp_path, LINEAR, llama("org/a"), other)
    assert "org/b is qwen2, org/a is llama" in error.message


def test_what_a_config_says_is_quoted_on_one_short_line(tmp_path: Path) -> None:
    said = LLAMA | {"model_type": "x\nhint: y" + "z" * 900, "hidden_size": "w" * 900}
    other = llama("org/b", files={"config.json": json.dumps(said).encode()})
    error = failure(tmp_path, LINEAR, llama("org/a"), other)
    assert len(error.problems()) == 2
    for problem in error.problems():
        assert "\n" not in problem.message
        assert len(problem.message) < 200


@pytest.mark.parametrize("dtype", [Dtype.I64, Dtype.I8, Dtype.U8, Dtype.F8_E4M3])
def test_quantized_weights_on_one_side(tmp_path: Path, dtype: Dtype) -> None:
    tensors = with_dtype("model.layers.0.mlp.up_proj.weight", dtype)
    error = failure(tmp_path, LINEAR, llama("org/a"), llama("org/b", tensors=tensors))
    assert f"of org/b has dtype {dtype}" in error.message
    assert "dtypes disagree: org/a stores F32" in (error.problems()[0].hint or "")


def test_float8_on_both_sides_is_refused_and_integers_are_copied(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    pair = [llama(f"org/{m}", tensors=with_dtype(name, Dtype.F8_E4M3)) for m in "ab"]
    error = failure(tmp_path, LINEAR, *pair)
    assert "F8_E4M3" in error.message
    assert "quantize the result" in (error.problems()[0].hint or "")
    buffer = {"counts": TensorSpec(name="counts", dtype=Dtype.I64, shape=(3,))}
    pair = [llama(f"org/{model}", tensors=buffer) for model in "ab"]
    jobs = {job.output.name: job for job in plan_of(tmp_path, LINEAR, *pair).jobs}
    assert jobs["counts"].method is None
    assert jobs["counts"].models[0].source == "a"
    pair = [llama("org/a"), llama("org/b", tensors=buffer)]
    jobs = {job.output.name: job for job in plan_of(tmp_path, LINEAR, *pair).jobs}
    assert jobs["counts"].models[0].source == "b"


def test_a_parameter_that_no_row_sets(tmp_path: Path) -> None:
    text = LINEAR.replace("{weight: 1}", "{weight: [{filter: mlp, value: 1}]}", 1)
    error = failure(tmp_path, text, llama("org/a"), llama("org/b"))
    assert "weight of org/a has no value for" in error.message
    assert "more" in error.message


def test_weights_that_cancel_somewhere_along_a_gradient(tmp_path: Path) -> None:
    text = LINEAR.replace("{weight: 1}", "{weight: [2, 1, -1, 3]}", 1)
    error = failure(tmp_path, text, llama("org/a"), llama("org/b"))
    (problem,) = error.problems()
    assert "in model.layers.2." in problem.message
    assert "normalize: false" in (problem.hint or "")
    plan_of(tmp_path, text + "parameters: {normalize: false}\n", llama("org/a"), llama("org/b"))


SLICES = """
merge_method: {method}
slices:
  - sources:
      - {{model: org/a, layer_range: {first}, parameters: {{weight: 1}}}}
      - {{model: org/b, layer_range: {second}, parameters: {{weight: 1}}}}
"""


def test_layer_ranges(tmp_path: Path) -> None:
    parents = (llama("org/a"), llama("org/b"))
    text = SLICES.format(method="linear", first="[0, 4]", second="[2, 6]")
    error = failure(tmp_path, text, *parents)
    assert "layer range [2, 6) of org/b does not fit: it has 4 layers" in error.message


def sliced(method: str, first: tuple[int, int], second: tuple[int, int]) -> Recipe:
    """A recipe that no file reader has checked."""
    one = Schedule(rows=(ScheduleRow(value=1.0),))
    sources = tuple(
        ModelInput(model=ModelRef(path=f"org/{name}"), layer_range=span, parameters={"weight": one})
        for name, span in (("a", first), ("b", second))
    )
    base = ModelRef(path="org/base") if method == "task_arithmetic" else None
    return Recipe(merge_method=method, slices=(Slice(sources=sources),), base_model=base)


def test_unequal_ranges() -> None:
    parents = by_ref(llama("org/a"), llama("org/b"))
    with pytest.raises(PlanError, match="org/a: 2, org/b: 3"):
        make_plan(sliced("linear", (0, 2), (1, 4)), parents, catalogue())


def test_an_unlisted_base_of_a_slice_has_the_layers_its_sources_agree_on() -> None:
    parents = by_ref(llama("org/a"), llama("org/b"), llama("org/base"))
    with pytest.raises(PlanError, match="which layers of the base model org/base"):
        make_plan(sliced("task_arithmetic", (0, 2), (1, 3)), parents, catalogue())
    plan = make_plan(sliced("task_arithmetic", (1, 3), (1, 3)), parents, catalogue())
    job = next(job for job in plan.jobs if job.output.name == "model.layers.0.mlp.up_proj.weight")
    assert job.base is not None
    assert job.base.tensor == "model.layers.1.mlp.up_proj.weight"


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    broken = without(llama("org/b", intermediate_size=28), "model.norm.weight")
    error = failure(tmp_path, LINEAR, llama("org/a"), broken)
    text = "\n".join(problem.message for problem in error.problems())
    assert "lacks model.norm.weight" in text
    assert "shapes of" in text


def test_settings_that_shapes_do_not_show_are_warnings(tmp_path: Path) -> None:
    other = llama("org/b", rope_theta=500000.0, num_attention_heads=2, num_key_value_heads=1)
    warnings = " ".join(plan_of(tmp_path, LINEAR, llama("org/a"), other).warnings)
    assert "rope_theta differs: org/b has 500000.0, org/a has 10000.0" in warnings
    assert "num_attention_heads differs" in warnings


def test_rope_parameters_of_transformers_5_are_compared_with_rope_theta(tmp_path: Path) -> None:
    new = llama("org/b", rope_theta=None, rope_parameters={"rope_theta": 1e4, "rope_type": "x"})
    assert not plan_of(tmp_path, LINEAR, llama("org/a"), new).warnings


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"", "not valid JSON"),
        (b"[1]", "not an object"),
        (b'{"a": ' + b"[" * 100_000, "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b'{"text_config": {"auto_map": {"AutoModel": "x.py"}}}', "text_config.auto_map"),
        (b'{"x": [{"custom_pipelines": {}}]}', "x[0].custom_pipelines"),
        (b'{"quantization_config": {"bits": 4}}', "org/b is quantized"),
        (b"{" + b" " * (5 << 20) + b"}", "at most"),
    ],
)
def test_hostile_configs(tmp_path: Path, config: bytes, said: str) -> None:
    bad = llama("org/b", files={"config.json": config})
    assert said in failure(tmp_path, LINEAR, llama("org/a"), bad).message


def test_no_config_and_no_tensors(tmp_path: Path) -> None:
    bare = Parent(key="b", ref=llama("org/b").ref, source=HeaderSource({}, {}))
    assert "org/b has no config.json" in failure(tmp_path, LINEAR, llama("org/a"), bare).message
    empty = HeaderSource({}, {"config.json": json.dumps(LLAMA).encode()})
    bare = Parent(key="b", ref=llama("org/b").ref, source=empty)
    assert "org/b holds no tensors" in failure(tmp_path, LINEAR, llama("org/a"), bare).message


def test_other_tokens_in_a_vocabulary_of_equal_size_are_a_warning(tmp_path: Path) -> None:
    def tokens(*names: str) -> dict[str, bytes]:
        vocab = {name: index for index, name in enumerate(names)}
        document = {"model": {"type": "WordLevel", "vocab": vocab}, "added_tokens": []}
        return {"tokenizer.json": json.dumps(document).encode()}

    pair = llama("org/a", files=tokens("x", "y")), llama("org/b", files=tokens("y", "x"))
    (warning,) = plan_of(tmp_path, LINEAR, *pair).warnings
    assert "2 tokens have other ids" in warning
    same = llama("org/a", files=tokens("x", "y")), llama("org/b", files=tokens("x", "y"))
    assert not plan_of(tmp_path, LINEAR, *same).warnings


def test_without_a_dtype_each_tensor_keeps_its_first_sources(tmp_path: Path) -> None:
    mixed = llama("org/a", dtype=Dtype.BF16), llama("org/b", dtype=Dtype.F16)
    assert {job.output.dtype for job in plan_of(tmp_path, LINEAR, *mixed).jobs} == {Dtype.BF16}


@pytest.mark.parametrize(
    ("method", "rows", "said"),
    [
        ("linear", "parameters: {weight: [1, -1]}", "weights 1, -1 add up to zero"),
        ("della", "parameters: {weight: 1, density: 0.1}", "density 0.1 with epsilon 0.15"),
        ("tall_masks", "parameters: {task: 3}", "there is no task 3"),
    ],
)
def test_values_that_do_not_go_together(tmp_path: Path, method: str, rows: str, said: str) -> None:
    base = "" if method == "linear" else "base_model: org/base\n"
    models = "[{model: org/a}, {model: org/b}]"
    if method == "linear":
        models = (
            "[{model: org/a, parameters: {weight: 1}}, {model: org/b, parameters: {weight: -1}}]"
        )
        rows = ""
    text = f"merge_method: {method}\n{base}models: {models}\n{rows}\n"
    error = failure(tmp_path, text, *(llama(f"org/{name}") for name in ("base", "a", "b")))
    assert said in str(error)
    assert "model.embed_tokens.weight" in str(error)
