"""DARE and DELLA: unbiased, of the promised density, and the same bytes for the same seed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.gpu.device_arrays import DeviceArray
from bot.errors import PlanError
from bot.methods.core.all_methods import catalogue
from bot.methods.core.apply import Inputs
from bot.methods.core.method_input import Unit
from bot.methods.della import MagPrune
from bot.methods.operators.row_ranks import row_ranks
from tests.methods.cases import family, run

SEEDS = 3000


def dropped(name: str, delta: np.ndarray, seeds: int = SEEDS, **parameters: object) -> np.ndarray:
    delta = np.asarray(delta, np.float32)
    given = {"weight": (1.0,), "normalize": False} | parameters
    return np.array([run(name, 0 * delta, [delta], given, seed=s) for s in range(seeds)], float)


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9, 0.004])
def test_dare_has_the_mean_and_variance_of_its_formula(density: float) -> None:
    delta = np.linspace(-2, 3, 40)
    out = dropped("dare_linear", delta, density=density, rescale="expectation")
    variance = delta**2 * (1 - density) / density
    assert np.allclose(out.mean(0), delta, atol=5 * np.sqrt(variance.max() / SEEDS))
    spread = out.var(0)[np.abs(delta) > 0.5] / variance[np.abs(delta) > 0.5]
    assert np.allclose(spread, 1, atol=5 / np.sqrt(SEEDS * min(density, 1 - density)))


@pytest.mark.parametrize("density", [0.3, 0.001])
def test_dare_keeps_a_binomial_share(density: float) -> None:
    kept = np.count_nonzero(dropped("dare_linear", np.ones(200_000), seeds=1, density=density))
    expected, sigma = 200_000 * density, np.sqrt(200_000 * density * (1 - density))
    assert abs(kept - expected) < 4 * sigma


def test_every_model_has_a_mask_of_its_own() -> None:
    ones = np.ones(100_000, np.float32)
    given = {"weight": (1.0, 100.0), "density": 0.3, "rescale": "none"}
    out = run("dare_linear", 0 * ones, [ones, ones], given)
    assert np.mean(out == 101) == pytest.approx(0.09, abs=0.005)
    assert np.mean(out == 100) == pytest.approx(0.21, abs=0.006)


def test_density_one_keeps_everything_and_zero_nothing() -> None:
    base, models = family(1, (6, 7), 2)
    given = {"weight": (0.5, 0.5)}
    whole = run("task_arithmetic", base, models, given)
    for name in ("dare_linear", "della_linear"):
        assert np.array_equal(run(name, base, models, given | {"density": 1.0}), whole)
        assert np.array_equal(run(name, base, models, given | {"density": 0.0}), base)


@pytest.mark.parametrize("name", ["dare_linear", "dare_ties", "della", "della_linear"])
@pytest.mark.parametrize("rescale", ["l1", "true", "expectation", "none", "false"])
def test_a_vanishing_density_stays_finite(name: str, rescale: str) -> None:
    base, models = family(2, (6, 7), 2)
    given = {"weight": (1.0, 1.0), "density": 1e-12, "rescale": rescale}
    given |= {"epsilon": 0.0} if name.startswith("della") else {}
    assert np.allclose(run(name, base, models, given), base, atol=1e-5)


def test_true_means_l1_and_false_means_none() -> None:
    base, models = family(3, (20, 20), 1)
    given = {"weight": (1.0,), "density": 0.4}
    out = {
        rescale: run("dare_linear", base, models, given | {"rescale": rescale})
        for rescale in ("true", "l1", "false", "none", "expectation")
    }
    assert np.array_equal(out["true"], out["l1"])
    assert np.array_equal(out["false"], out["none"])
    assert not np.array_equal(out["l1"], out["expectation"])


def test_della_keeps_by_a_line_over_ranks() -> None:
    width = 21
    row = np.random.default_rng(0).permutation(np.arange(1.0, width + 1))
    out = dropped("della_linear", row[None], density=0.5, epsilon=0.3, rescale="none")
    rate = (out != 0).mean(0)[0][np.argsort(row)]
    line = np.linspace(0.2, 0.8, width)
    assert np.allclose(rate, line, atol=4.5 * np.sqrt(0.25 / SEEDS))
    assert rate.mean() == pytest.approx(0.5, abs=0.01)


def test_della_by_expectation_is_unbiased() -> None:
    row = np.linspace(-1, 2, 16)[None]
    out = dropped("della_linear", row, density=0.4, epsilon=0.2, rescale="expectation")
    assert np.allclose(out.mean(0), row, atol=5 * 2 * np.sqrt(4 / SEEDS))


def test_della_without_a_window_draws_like_dare() -> None:
    base, models = family(4, (30, 30), 2)
    given = {"weight": (1.0, 0.5), "density": 0.4}
    flat = run("della_linear", base, models, given | {"epsilon": 0.0})
    assert np.allclose(flat, run("dare_linear", base, models, given), atol=1e-6)


@given(
    st.integers(1, 40), st.integers(1, 5), st.sampled_from([1, 3, 1000]), st.integers(0, 2**32 - 1)
)
@settings(max_examples=60, deadline=None)
def test_ranks_are_those_of_a_stable_sort(width: int, rows: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.abs(rng.integers(-levels, levels + 1, (rows, width))).astype(np.float32)
    expected = np.argsort(np.argsort(values, axis=-1, kind="stable"), axis=-1)
    assert np.array_equal(row_ranks(values), expected)
    on_device = row_ranks(DeviceArray(torch.from_numpy(values)))
    assert np.array_equal(np.asarray(on_device), expected)


def test_della_ranks_equal_magnitudes_by_index() -> None:
    inputs = Inputs(base=np.zeros((1, 4), np.float32), models=[np.ones((1, 4), np.float32)])
    (block,) = inputs.blocks(Unit.ROW)
    line = MagPrune((0.5,), (0.3,)).realised(block, 0)
    assert np.allclose(line, np.linspace(0.2, 0.8, 4))


@pytest.mark.parametrize(
    ("density", "epsilon", "taken"),
    [(0.0, 0.15, True), (0.15, 0.15, False), (0.16, 0.15, True), (0.84, 0.15, True),
     (0.85, 0.15, False), (1.0, 0.15, True), (0.3, 0.3, False), (0.7, 0.3, False)],
)  # fmt: skip
def test_della_treats_both_ends_alike(density: float, epsilon: float, taken: bool) -> None:
    found = catalogue()["della"].problems(
        SimpleNamespace(density=(density,), epsilon=(epsilon,), rescale="l1")
    )
    assert (not found) is taken


def test_della_refuses_probabilities_outside_zero_and_one() -> None:
    base, models = family(5, (4, 4), 1)
    with pytest.raises(PlanError, match="outside"):
        run("della", base, models, {"weight": (1.0,), "density": 0.1})
