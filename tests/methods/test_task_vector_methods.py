"""Task arithmetic, TIES and Breadcrumbs on cases small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bot.methods.core.all_methods import catalogue
from bot.methods.core.apply import Inputs, apply_model
from tests.methods.cases import family, run
from tests.methods.oracles import deltas, keep_ranks


def merge(
    name: str, vectors: Sequence[Sequence[float] | np.ndarray], **parameters: object
) -> np.ndarray:
    """Merge deltas given as lists, from a base of zeros."""
    models = [np.array(vector, np.float32) for vector in vectors]
    given = {"weight": (1.0,) * len(models)} | parameters
    return run(name, np.zeros_like(models[0]), models, given)


def test_adding_then_forgetting_gives_the_base_back() -> None:
    base, (model,) = family(1, (8, 9), 1)
    out = run("task_arithmetic", base, [model, model], {"weight": (1.0, -1.0)})
    assert np.array_equal(out, base)


def test_one_task_at_full_strength_is_that_model() -> None:
    base, (model,) = family(2, (8, 9), 1)
    assert np.allclose(run("task_arithmetic", base, [model], {"weight": (1.0,)}), model, atol=1e-6)
    unchanged = run("task_arithmetic", base, [model], {"weight": (1.0,), "lambda": 0.0})
    assert np.array_equal(unchanged, base)


def test_an_analogy_whose_first_pair_is_equal_is_the_third_model() -> None:
    base, (a, b) = family(3, (8, 9), 2)
    out = run("task_arithmetic", base, [b, a, a], {"weight": (1.0, -1.0, 1.0)})
    assert np.allclose(out, b, atol=1e-6)


def test_ties_by_hand_with_an_exact_zero_sum() -> None:
    vectors = [[2.0, -1.0, 4.0], [-2.0, -3.0, 0.5], [1.0, 2.0, -4.5]]
    # kept at density 2/3: [2, 0, 4], [-2, -3, 0], [0, 2, -4.5]; sums 0, -1, -0.5
    out = merge("ties", vectors, density=2 / 3 + 1e-9)
    assert out.tolist() == [2.0, -3.0, -4.5]


def test_ties_of_opposite_deltas_is_the_larger_one() -> None:
    assert merge("ties", [[3.0], [-1.0]]).tolist() == [3.0]


def test_ties_of_agreeing_deltas_is_their_mean() -> None:
    assert merge("ties", [[3.0, -1.0], [1.0, -2.0]]).tolist() == [2.0, -1.5]
    assert merge("ties", [[3.0], [1.0]], normalize=False).tolist() == [4.0]


def test_ties_of_one_model_is_its_largest_part() -> None:
    base, (model,) = family(4, (20, 11), 1)
    (delta,) = deltas(base, [model])
    out = run("ties", base, [model], {"weight": (1.0,), "density": 0.2, "lambda": 0.5})
    assert np.allclose(out, base + 0.5 * keep_ranks(delta, 0, 44), atol=1e-6)


def test_ties_turns_with_the_sign_of_the_deltas() -> None:
    base, models = family(5, (20, 11), 3)
    given = {"weight": (1.0, 0.7, 0.9), "density": 0.4}
    forward = run("ties", 0 * base, [m - base for m in models], given)
    backward = run("ties", 0 * base, [base - m for m in models], given)
    assert np.allclose(forward, -backward, atol=1e-6)


def test_ties_over_the_model_trims_the_model_and_not_each_tensor() -> None:
    small, large = np.full(10, 0.01, np.float32), np.full(10, 1.0, np.float32)
    tensors = [
        Inputs(base=np.zeros_like(part), models=[part], tensor=name)
        for name, part in (("small", small), ("large", large))
    ]
    given = {"weight": (1.0,), "density": 0.5, "scope": "model"}
    low, high = apply_model(catalogue()["ties"], tensors, [given, given], grain=4)
    assert not low.any()
    assert np.array_equal(high, large)


@pytest.mark.parametrize("elements", [1, 2, 50, 1000])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.3])
def test_breadcrumbs_keeps_exactly_its_share_below_the_outliers(
    elements: int, gamma: float
) -> None:
    values = np.arange(1, elements + 1)
    out = merge("breadcrumbs", [values], density=0.5, gamma=gamma)
    kept, removed = elements // 2, int(gamma * elements)
    first = elements - removed - kept
    assert np.flatnonzero(out).tolist() == list(range(first, first + kept))


def test_breadcrumbs_without_an_upper_cut_trims_like_ties() -> None:
    base, (model,) = family(6, (30, 7), 1)
    given = {"weight": (1.0,), "density": 0.3}
    assert np.array_equal(
        run("breadcrumbs", base, [model], given | {"gamma": 0.0}),
        run("ties", base, [model], given | {"normalize": False}),
    )


def test_breadcrumbs_drops_a_planted_outlier() -> None:
    values = np.ones(200)
    values[17] = 1e6
    assert merge("breadcrumbs", [values], density=0.9).max() == 1.0


def test_l1_rescale_keeps_the_norm_of_what_was_trimmed() -> None:
    base, (model,) = family(7, (30, 30), 1)
    given = {"weight": (1.0,), "density": 0.2, "rescale": "l1", "normalize": False}
    out = run("ties", base, [model], given)
    before = np.abs(model.astype(float) - base).sum()
    assert np.abs(out.astype(float) - base).sum() == pytest.approx(before, rel=1e-5)
