"""SCE, RAM, NearSwap and Arcee Fusion by their defining properties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bot.methods.core.all_methods import catalogue
from bot.methods.core.apply import Inputs, apply_model, reduce
from bot.methods.core.method_input import Unit
from bot.methods.reductions.importance import Importance, ImportanceQuartiles
from tests.methods.cases import family, run


def vectors(*rows: Sequence[float]) -> list[np.ndarray]:
    return [np.array(row, np.float32) for row in rows]


def test_sce_weighs_models_by_the_square_of_their_change() -> None:
    a, b = vectors([1, 1, 1, 1], [3, 3, 3, 3])
    assert np.allclose(run("sce", 0 * a, [a, b]), (1 * 1 + 9 * 3) / 10)


def test_sce_of_agreeing_changes_of_equal_energy_is_their_mean() -> None:
    a, b = vectors([1, 2], [2, 1])
    assert np.allclose(run("sce", 0 * a, [a, b]), [1.5, 1.5])


def test_sce_selects_where_models_differ_most() -> None:
    a, b = vectors([1, 5, 1, 1], [1, 1, 1.5, 1])
    out = run("sce", 0 * a, [a, b], {"select_topk": 0.5})
    assert np.count_nonzero(out) == 1  # half of the two places where they differ
    assert out[1] > 1
    assert not run("sce", 0 * a, [a, a], {"select_topk": 0.5}).any()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 0.9, 1.0])
@pytest.mark.parametrize("models", [2, 3])
def test_sce_step_by_step_with_many_ties(share: float, models: int) -> None:
    rng = np.random.default_rng(models)
    moved = rng.integers(-3, 4, (models, 900)) / 8.0
    base = rng.integers(-9, 10, 900).astype(np.float32)
    out = run("sce", base, [(base + d).astype(np.float32) for d in moved],
              {"select_topk": share}, grain=128)  # fmt: skip
    kept = moved
    if share < 1:
        k = int(share * np.count_nonzero(_variance(moved)))
        kept = np.zeros_like(moved)
        chosen = np.lexsort((np.arange(900), -_variance(moved)))[:k]
        kept[:, chosen] = moved[:, chosen]
    energy = (kept**2).sum(axis=1)
    weight = energy / energy.sum() if energy.sum() else np.full(models, 1 / models)
    agree = np.sign(kept) == np.where(kept.sum(axis=0) >= 0, 1, -1)
    mixed, taken = np.where(agree, kept, 0).T @ weight, agree.T @ weight
    expected = base + np.divide(mixed, taken, out=np.zeros(900), where=taken > 0)
    np.testing.assert_allclose(out, expected, rtol=0, atol=2e-6)


def _variance(moved: np.ndarray) -> np.ndarray:
    """As float32 has it: which of two nearly equal variances is larger is a matter of rounding."""
    single = moved.astype(np.float32)
    mean = sum(single) / np.float32(len(single))
    found: np.ndarray = sum((d - mean) ** 2 for d in single) / np.float32(len(single))
    return found


def test_ram_sums_what_is_unique_and_averages_what_is_shared() -> None:
    a, b = vectors([1, 0, 4, 0], [0, 2, 2, 1e-6])
    assert np.allclose(run("ram", 0 * a, [a, b]), [1, 2, 3, 0])


@pytest.mark.parametrize(("alpha", "gain"), [(0.2, 1.02), (5.0, 1.05)])
def test_ram_plus_raises_unique_changes_by_what_is_shared(alpha: float, gain: float) -> None:
    a, b = vectors([1, 1, 4, 0], [0, 0, 2, 0])
    out = run("ramplus_tl", 0 * a, [a, b], {"alpha": alpha})
    assert np.allclose(out, [gain, gain, 3, 0])  # model a shares one change, has two of its own


def test_ram_plus_counts_over_the_model() -> None:
    parts = {"first": vectors([1, 1, 0, 0], [0, 0, 0, 0]), "second": vectors([2, 2], [2, 2])}
    tensors = [
        Inputs(base=0 * models[0], models=models, tensor=name) for name, models in parts.items()
    ]
    method = catalogue()["ramplus"]
    first, second = apply_model(method, tensors, [{"alpha": 5.0}] * 2)
    assert np.allclose(first, [1.1, 1.1, 0, 0])
    assert np.allclose(second, 2)


@pytest.mark.parametrize("t", [0.0, 0.05, 100.0])
def test_nearswap_never_moves_further_than_t(t: float) -> None:
    base, (model,) = family(1, (9, 9), 1)
    out = run("nearswap", base, [model], {"t": t})
    assert np.allclose(out, base + np.clip(model.astype(float) - base, -t, t), atol=1e-6)
    if t in (0.0, 100.0):
        assert np.array_equal(out, model if t else base)


def test_arcee_fusion_takes_either_value_and_nothing_between() -> None:
    base, (model,) = family(2, (40, 30), 1, scale=1.0)
    out = run("arcee_fusion", base, [model])
    taken = out == model
    assert np.all(taken | (out == base))
    assert 0 < taken.mean() < 0.3


@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (4, 1), (5, 7), (31, 33)])
def test_quartiles_are_those_of_the_sorted_importance(shape: tuple[int, ...]) -> None:
    base, (model,) = family(3, shape, 1, scale=1.0)
    inputs = Inputs(base=base, models=[model], tensor="w")
    divergences, cuts = reduce(ImportanceQuartiles(), [inputs], Unit.ROW, 16)
    importance, blocks = Importance(divergences), inputs.blocks(Unit.ROW, 16)
    ranked = np.sort(np.concatenate([importance(block)[0].reshape(-1) for block in blocks]))
    expected = [ranked[int(q * (ranked.size - 1))] for q in (0.25, 0.5, 0.75)]
    assert [cut.threshold for cut in cuts] == expected
