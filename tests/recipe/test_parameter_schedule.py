from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.recipe.parameter_schedule import OUTSIDE_LAYERS, depth, interpolate, resolve, value_at
from bot.recipe.recipe import Schedule, ScheduleRow

FINITE = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
GRADIENTS = st.lists(FINITE, min_size=1, max_size=9).map(tuple)


def schedule(*rows: tuple[Any, str | None]) -> Schedule:
    return Schedule(rows=tuple(ScheduleRow(value=value, filter=name) for value, name in rows))


@settings(deadline=None)
@given(GRADIENTS, st.floats(min_value=0, max_value=1))
def test_gradients_are_piecewise_linear(gradient: tuple[float, ...], at: float) -> None:
    anchors = np.linspace(0.0, 1.0, len(gradient))
    expected = np.interp(at, anchors, gradient)
    assert interpolate(gradient, at) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@settings(deadline=None)
@given(GRADIENTS, st.integers(min_value=2, max_value=200))
def test_first_and_last_layer_take_the_end_values(gradient: tuple[float, ...], layers: int) -> None:
    assert interpolate(gradient, depth(0, layers)) == gradient[0]
    assert interpolate(gradient, depth(layers - 1, layers)) == gradient[-1]


@pytest.mark.parametrize(
    ("layer", "layers", "expected"), [(0, 1, 1.0), (0, 2, 0.0), (1, 2, 1.0), (1, 5, 0.25)]
)
def test_depth(layer: int, layers: int, expected: float) -> None:
    assert depth(layer, layers) == expected


def test_embeddings_take_a_gradients_first_value() -> None:
    assert value_at(schedule(((3.0, 7.0), None)), "model.embed_tokens.weight", OUTSIDE_LAYERS) == 3


def test_first_matching_row_wins() -> None:
    rows = schedule((1.0, "mlp"), (2.0, "mlp.up"), (3.0, None), (4.0, "norm"))
    assert value_at(rows, "model.layers.0.mlp.up_proj.weight", 0.5) == 1.0
    assert value_at(rows, "model.layers.0.input_layernorm.weight", 0.5) == 3.0


def test_no_matching_row_leaves_the_word_to_the_next_level() -> None:
    source = {"weight": schedule((1.0, "mlp"))}
    part = {"weight": schedule((2.0, "attn"))}
    recipe = {"weight": schedule((3.0, None)), "lambda": schedule((0.5, None))}
    levels = (source, part, recipe)
    assert resolve("weight", "x.mlp.up", 0, *levels) == 1.0
    assert resolve("weight", "x.attn.q", 0, *levels) == 2.0
    assert resolve("weight", "norm", 0, *levels) == 3.0
    assert resolve("lambda", "norm", 0, *levels) == 0.5
    assert resolve("density", "norm", 0, *levels) is None


def test_a_false_or_zero_value_is_a_value() -> None:
    assert resolve("normalize", "x", 0, {"normalize": schedule((False, None))}, {}) is False
    assert resolve("weight", "x", 0, {"weight": schedule((0.0, None))}) == 0.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("~", None), ("", None), ("NULL", None),
        ("true", True), ("FALSE", False), ("tRue", "tRue"), ("010", 10), ("0o17", 15),
        ("0x1F", 31), ("1e-3", 0.001), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-.5", -0.5),
        ("+1", 1), ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("2024-01-01", "2024-01-01"),
        (".inf", float("inf")), ("-.INF", float("-inf")), ("inf", "inf"), ("nan", "nan"),
        ("1.2.3", "1.2.3"), ("e5", "e5"), ("1e", "1e"), ("٣", "٣"), ("0b1", "0b1"), ("-", "-"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    from bot.recipe.yaml_scalars import plain_value

    assert plain_value(text) == value
    assert type(plain_value(text)) is type(value)
