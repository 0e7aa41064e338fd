from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.architecture.layer_names import group_by_layer, locate
from bot.checkpoint.tensor_spec import Dtype, TensorSpec


def specs(*names: str, size: int = 4) -> list[TensorSpec]:
    return [TensorSpec(name=name, dtype=Dtype.F32, shape=(size,)) for name in names]


@pytest.mark.parametrize(
    ("name", "prefix", "index", "suffix"),
    [
        ("model.layers.17.mlp.up_proj.weight", "model.layers", 17, "mlp.up_proj.weight"),
        ("transformer.h.0.attn.c_attn.bias", "transformer.h", 0, "attn.c_attn.bias"),
        ("gpt_neox.layers.3.mlp.weight", "gpt_neox.layers", 3, "mlp.weight"),
        ("model.layers.2.mlp.experts.31.w1.weight", "model.layers", 2, "mlp.experts.31.w1.weight"),
        ("decoder.block.1.layer.0.k.weight", "decoder.block", 1, "layer.0.k.weight"),
    ],
)
def test_names_of_many_architectures(name: str, prefix: str, index: int, suffix: str) -> None:
    place = locate(name)
    assert place is not None
    assert (place.prefix, place.index, place.suffix) == (prefix, index, suffix)
    assert place.name(index) == name


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_tokens.weight", "lm_head.weight", "layers.01.weight", "layers.²7.weight",
        "layers.9999999.weight", "weight.3", "3.weight", "", ".", "..", "a..b",
    ],
)  # fmt: skip
def test_names_outside_blocks(name: str) -> None:
    assert locate(name) is None


@given(st.text(alphabet="abc.0123456789²³-_", max_size=40))
def test_any_name_is_taken_apart_and_put_together(name: str) -> None:
    place = locate(name)
    assert place is None or place.name(place.index) == name


def test_the_language_model_is_the_stack_that_slices_cut() -> None:
    vision = [f"vision_tower.encoder.layers.{i}.w" for i in range(8)]
    text = [f"language_model.model.layers.{i}.w" for i in range(4)]
    projector = ["multi_modal_projector.mlp.0.w", "multi_modal_projector.mlp.2.w"]
    tensor_layout = group_by_layer(specs(*vision, *text, *projector, size=9), layers=4)
    assert tensor_layout.text == "language_model.model.layers"
    assert tensor_layout.depth == 4
    assert set(tensor_layout.stacks) == {
        "vision_tower.encoder.layers",
        "language_model.model.layers",
    }
    assert [spec.name for spec in tensor_layout.rest] == projector


def test_without_a_promise_the_largest_stack_is_the_language_model() -> None:
    small = specs(*(f"draft.layers.{i}.w" for i in range(3)))
    large = specs(*(f"model.layers.{i}.w" for i in range(3)), size=100)
    assert group_by_layer([*small, *large], layers=None).text == "model.layers"
    assert group_by_layer(specs("a", "b"), layers=2).text is None
