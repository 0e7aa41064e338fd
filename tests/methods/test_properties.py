"""What every merge method owes its users, checked over the whole registry."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bot.methods.core.all_methods import catalogue, describe
from tests.methods.cases import SHAPES, bf16, family, run

NAMES = sorted(catalogue())
SPECIAL = {"t": 0.3, "task": 1}


def parameters(name: str, models: int, **changed: object) -> dict[str, object]:
    """Weights that add up to one, and something for every other required param."""
    params = catalogue()[name].signature.parameters
    found = {
        param.name: (1 / models,) * models if param.scope == "per_model" else SPECIAL[param.name]
        for param in params
        if param.required
    }
    return found | {key: value for key, value in changed.items() if any_knob(name, key)}


def any_knob(name: str, param: str) -> bool:
    return catalogue()[name].signature.parameter(param) is not None


def models_for(name: str) -> int:
    return min(3, catalogue()[name].signature.maximum_models or 3)


def merged(
    name: str,
    shape: tuple[int, ...],
    seed: int = 1,
    grain: int = 1 << 20,
    *,
    coarse: bool = False,
    **changed: object,
) -> np.ndarray:
    count = models_for(name)
    base, models = family(seed, shape, count, coarse=coarse)
    return run(name, base, models, parameters(name, count, **changed), grain=grain)


@pytest.mark.parametrize("name", NAMES)
def test_p1_equal_models_merge_to_themselves(name: str) -> None:
    _, (model,) = family(2, (7, 8), 1)
    count = models_for(name)
    out = run(name, model, [model] * count, parameters(name, count))
    assert np.allclose(out, model, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in NAMES if catalogue()[name].symmetric])
def test_p2_the_order_of_models_is_irrelevant(name: str) -> None:
    base, models = family(3, (9, 8), 3)
    given = parameters(name, 3, density=0.6)
    forward = run(name, base, models, given)
    backward = run(name, base, models[::-1], given)
    assert np.allclose(forward, backward, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in NAMES if not catalogue()[n].signature.stochastic])
def test_p3_permuting_units_commutes_with_merging(name: str) -> None:
    count = models_for(name)
    base, models = family(4, (12, 10), count)
    given = parameters(name, count, density=0.5)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(12), rng.permutation(10)

    def move(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array[rows][:, columns])

    apart = run(name, move(base), [move(model) for model in models], given)
    assert np.allclose(apart, move(run(name, base, models, given)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grain", [64, 1000])
def test_p4_block_borders_leave_no_trace(name: str, grain: int) -> None:
    whole = merged(name, (41, 23), density=0.4, coarse=True)
    pieces = merged(name, (41, 23), grain=grain, density=0.4, coarse=True)
    if catalogue()[name].exact == "any host" and not catalogue()[name].stats:
        assert whole.tobytes() == pieces.tobytes()
    assert np.allclose(whole, pieces, rtol=3e-7, atol=3e-7)


DECIDING = {"kth", "band", "selection", "quartiles"}


@pytest.mark.parametrize("name", [n for n in NAMES if not DECIDING & set(catalogue()[n].stats)])
def test_p5_float32_is_enough(name: str) -> None:
    count = models_for(name)
    base, models = family(6, (14, 15), count)
    given = parameters(name, count, density=0.5)
    wide = run(name, base.astype(float), [model.astype(float) for model in models], given)
    assert np.allclose(run(name, base, models, given), wide, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_p6_inputs_are_left_alone_and_bytes_repeat(name: str) -> None:
    count = models_for(name)
    base, models = family(5, (13, 6), count)
    before = [array.copy() for array in (base, *models)]
    given = parameters(name, count, density=0.5)
    first = run(name, base, models, given, seed=9)
    second = run(name, base, models, given, seed=9)
    assert first.tobytes() == second.tobytes()
    for array, copy in zip((base, *models), before, strict=True):
        assert np.array_equal(array, copy)
    assert not np.shares_memory(first, base)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("filled", [0.0, 1.0])
def test_p7_tensors_without_a_delta_stay_finite(name: str, filled: float) -> None:
    count = models_for(name)
    same = np.full((4, 6), filled, np.float32)
    out = run(name, same, [same] * count, parameters(name, count, density=0.5))
    assert np.allclose(out, same, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_p8_any_shape_goes_in_and_comes_out(name: str, shape: tuple[int, ...]) -> None:
    out = merged(name, shape, density=0.5)
    assert out.shape == shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()


@pytest.mark.parametrize("name", NAMES)
def test_p8_empty_tensors_stay_empty(name: str) -> None:
    assert merged(name, (0, 4), density=0.5).shape == (0, 4)


@pytest.mark.parametrize("name", NAMES)
def test_bf16_parents_are_merged_in_float32(name: str) -> None:
    out = merged(name, (16, 16), coarse=True, density=0.5)
    base, models = family(1, (16, 16), models_for(name), coarse=True)
    assert np.array_equal(bf16(base), base)
    reach = max(np.abs(array).max() for array in (base, *models))
    assert np.abs(out).max() < 8 * reach


@pytest.mark.parametrize("name", NAMES)
def test_every_method_explains_itself(name: str) -> None:
    method, page = catalogue()[name], describe(name)
    text = " ".join(page.documentation.split())
    assert "out = " in text
    assert re.search("any shape|for a projection", text, re.IGNORECASE)
    assert method.signature.paper
    assert method.signature.paper in page.documentation
    assert all(" in " in line for line in page.parameters if re.search("; (float|int)", line))
    for param in method.signature.parameters:
        assert param.description, f"{name} says nothing about {param.name}"
