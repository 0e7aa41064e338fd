"""Linear, passthrough, Model Stock."""

from __future__ import annotations

import numpy as np
import pytest

from bot.errors import PlanError
from tests.methods.cases import family, run


def test_a_single_weight_gives_that_model_exactly() -> None:
    _, models = family(1, (5, 6), 3)
    for chosen in range(3):
        weight = tuple(float(i == chosen) for i in range(3))
        assert np.array_equal(run("linear", None, models, {"weight": weight}), models[chosen])


def test_linear_is_affine() -> None:
    _, models = family(2, (5, 6), 3)
    given = {"weight": (0.2, 1.0, -0.4)}
    moved = run("linear", None, [model + np.float32(2) for model in models], given)
    assert np.allclose(moved, run("linear", None, models, given) + 2, atol=2e-6)


@pytest.mark.parametrize("weight", [(1e-9, 3e-9), (1e-7, -9e-8), (-2e-20, 5e-20)])
@pytest.mark.parametrize("method", ["linear", "multislerp"])
def test_small_weights_are_shares_like_any_others(method: str, weight: tuple[float, ...]) -> None:
    _, models = family(3, (5, 6), 2)
    scale = sum(weight)
    shares = tuple(w / scale for w in weight)
    out = run(method, None, models, {"weight": weight})
    assert np.allclose(out, run(method, None, models, {"weight": shares}), rtol=1e-5, atol=1e-5)
    if method == "linear":
        wide = [share * model.astype(float) for share, model in zip(shares, models, strict=True)]
        assert np.allclose(out, sum(wide), atol=1e-5)


def test_weights_too_large_to_be_added_up_are_an_error() -> None:
    _, models = family(1, (2, 3), 2)
    with np.errstate(over="ignore"), pytest.raises(PlanError, match="too large to be added up"):
        run("linear", None, models, {"weight": (1e308, 1e308)})


@pytest.mark.parametrize("weight", [(1.0, -1.0), (0.0, 0.0), (0.1, 0.2, -0.3), (1e-9, -1e-9)])
def test_weights_that_cancel_are_an_error_with_a_way_out(weight: tuple[float, ...]) -> None:
    _, models = family(3, (5, 6), len(weight))
    with pytest.raises(PlanError, match="add up to zero") as caught:
        run("linear", None, models, {"weight": weight})
    assert "normalize: false" in str(caught.value.problems()[0].hint)
    run("linear", None, models, {"weight": weight, "normalize": False})


def test_passthrough_is_the_model_to_the_bit() -> None:
    _, (model,) = family(4, (5, 6), 1)
    assert run("passthrough", None, [model]).tobytes() == model.tobytes()
    assert np.array_equal(run("passthrough", None, [model], {"scale": (0.5,)}), model / 2)


@pytest.mark.parametrize(("models", "sigma"), [(2, 2.0), (4, 2.0), (3, 0.5)])
def test_model_stock_finds_a_planted_centre(models: int, sigma: float) -> None:
    rng = np.random.default_rng(0)
    size = 200_000
    centre = rng.normal(size=size) / np.sqrt(size)
    tunes = [
        (centre + sigma * rng.normal(size=size) / np.sqrt(size)).astype(np.float32)
        for _ in range(models)
    ]
    out = run("model_stock", np.zeros(size, np.float32), tunes).astype(float)
    mean = np.asarray(np.mean(tunes, axis=0, dtype=np.float64))
    best = (centre @ mean) / (mean @ mean)
    assert (out @ mean) / (mean @ mean) == pytest.approx(best, abs=0.01)


def test_model_stock_of_equal_models_is_that_model_and_of_orthogonal_ones_the_base() -> None:
    base, (model,) = family(5, (8, 8), 1)
    for rows in (False, True):
        same = run("model_stock", base, [model, model], {"filter_wise": rows})
        assert np.allclose(same, model, atol=1e-6)
    zero = np.zeros((2, 2), np.float32)
    left, right = np.eye(2, dtype=np.float32)
    out = run("model_stock", zero, [np.array([left, left]), np.array([right, right])])
    assert np.array_equal(out, zero)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_model_stock_ignores_the_scale_of_the_deltas(factor: float) -> None:
    base, models = family(6, (8, 8), 3, scale=1.0)
    tunes = [model - base + 0.5 for model in models]
    plain = run("model_stock", 0 * base, tunes)
    scaled = run("model_stock", 0 * base, [np.float32(factor) * tune for tune in tunes])
    assert np.allclose(scaled, factor * plain, rtol=1e-5, atol=1e-6 * factor)


def test_model_stock_by_rows_is_model_stock_of_each_row() -> None:
    base, models = family(7, (5, 40), 3)
    rows = run("model_stock", base, models, {"filter_wise": True})
    for number in range(5):
        single = run("model_stock", base[number], [model[number] for model in models])
        assert np.allclose(rows[number], single, atol=1e-6)
