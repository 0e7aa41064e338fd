"""Parity with mergekit 0.1.5: NuSLERP, Multi-SLERP and the Karcher mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.methods.operators.sphere_geometry import OPPOSITE
from tests.methods.cases import families, family, run
from tests.parity.peer import assert_agree, size_of, theirs
from tests.present import present

POSITIVE = st.sampled_from([0.1, 0.5, 1.0, 2.5])
SHORT = 1e-3
TURNING = OPPOSITE + 1e-4
"""Down to that cosine both tools turn; nearer to opposite only mergekit does (deviations.py)."""


def vectors(array: np.ndarray, axis: int | None) -> np.ndarray:
    array = array.astype(float)
    if axis is None or array.ndim == 0:
        return array.reshape(1, -1)
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


def conditioned(ends: Sequence[np.ndarray], axis: int | None) -> float | None:
    """Both long enough, and neither nearly parallel nor so opposite that we go straight."""
    a, b = (vectors(end, axis) for end in ends)
    lengths = np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)
    if min(lengths[0].min(initial=1), lengths[1].min(initial=1)) < SHORT:
        return None
    cosine = (a * b).sum(-1) / (lengths[0] * lengths[1])
    sine = np.sqrt(np.maximum(1 - cosine**2, 0)).min(initial=1)
    apart = sine > 0.02 and cosine.min(initial=1) > TURNING
    return float(4 / sine**2) if apart else None


@given(st.data(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_nuslerp(data: st.DataObject, flatten: bool, row_wise: bool, with_base: bool) -> None:
    base, models = data.draw(families(least=2, most=2))
    assume(base.ndim > 0 or flatten)
    weight = (data.draw(POSITIVE), data.draw(POSITIVE))
    start = base if with_base else None
    ends = [model - base for model in models] if with_base else models
    condition = conditioned(ends, None if flatten else 0 if row_wise else -1)
    assume(condition is not None)
    given_ = {"weight": weight, "nuslerp_flatten": flatten, "nuslerp_row_wise": row_wise}
    ours = run("nuslerp", start, models, given_)
    assert_agree(
        ours, theirs("nuslerp", start, models, given_), size_of(base, models), present(condition)
    )


@given(st.data(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_multislerp(data: st.DataObject, normalize: bool, with_base: bool) -> None:
    base, models = data.draw(families(least=2))
    weight = tuple(data.draw(POSITIVE) for _ in models)
    start = base if with_base else None
    ends = [model - base for model in models] if with_base else models
    units = [end / max(np.linalg.norm(end), 1e-12) for end in ends]
    total: np.ndarray = sum(w * u for w, u in zip(weight, units, strict=True))
    mean = float(np.linalg.norm(total)) / sum(weight)
    assume(mean > 0.05)
    assume(min(np.linalg.norm(end) for end in ends) > SHORT)
    given_ = {"weight": weight, "normalize_weights": normalize}
    ours = run("multislerp", start, models, given_)
    peer = theirs("multislerp", start, models, given_)
    condition = 4 * (sum(weight) + 1) / mean
    assert_agree(ours, peer, size_of(base, models), condition)


@given(st.data(), st.sampled_from([0.05, 0.5]))
@settings(max_examples=40, deadline=None)
def test_karcher(data: st.DataObject, scale: float) -> None:
    base, models = data.draw(families(least=2))
    base, models = family(base.size, base.shape, len(models), scale=scale)
    unit = [model.reshape(-1) / np.linalg.norm(model) for model in models]
    assume(min(float(a @ b) for a in unit for b in unit) > 0.3)
    given_ = {"max_iter": 60, "tol": 1e-7}
    ours = run("karcher", None, models, given_)
    assert_agree(ours, theirs("karcher", None, models, given_), size_of(None, models), 10)


@pytest.mark.parametrize("steps", [1, 10])
def test_karcher_stops_as_early(steps: int) -> None:
    _, models = family(3, (20, 30), 3, scale=0.3)
    given_ = {"max_iter": steps}
    ours = run("karcher", None, models, given_)
    assert_agree(ours, theirs("karcher", None, models, given_), size_of(None, models), 10)
