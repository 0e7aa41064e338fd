"""The divergence of rows against the formula in extended precision, by a library's functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.methods.operators.row_divergence import divergences


def expected(models: np.ndarray, bases: np.ndarray) -> np.ndarray:
    def shares(rows: np.ndarray) -> np.ndarray:
        wide = rows.astype(np.longdouble)
        powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
        found: np.ndarray = powers / powers.sum(axis=-1, keepdims=True) + np.longdouble(1e-8)
        return found

    p, q = shares(models), shares(bases)
    found: np.ndarray = (p * np.log(p / q)).sum(axis=-1)
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.sampled_from([1, 2, 7, 31, 32, 33, 500]),
    scale=st.sampled_from([0.02, 1.0, 30.0, 1e4]),
    change=st.sampled_from([1e-3, 0.3, 50.0]),
)
@settings(max_examples=80, deadline=None)
def test_any_rows(seed: int, width: int, scale: float, change: float) -> None:
    rng = np.random.default_rng(seed)
    bases = (scale * rng.normal(size=(6, width))).astype(np.float32)
    models = bases + (change * scale * rng.normal(size=bases.shape)).astype(np.float32)
    wanted = expected(models, bases)
    found = divergences(models, bases)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.maximum(wanted, 0), rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("width", [1, 5, 64])
def test_equal_rows_do_not_diverge(width: int) -> None:
    rows = np.random.default_rng(0).normal(size=(4, width)).astype(np.float32)
    assert not divergences(rows, rows).any()


def test_rows_far_from_one_another() -> None:
    far = np.array([[0, -1e30], [3e38, -3e38]], np.float32)
    found = divergences(far, far[:, ::-1])
    np.testing.assert_allclose(found, expected(far, far[:, ::-1]).astype(float), rtol=1e-6)
