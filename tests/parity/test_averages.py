"""Parity with mergekit 0.1.5: averages, spherical means and Model Stock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.methods.cases import families, family, run, weights
from tests.methods.oracles import deltas
from tests.parity.peer import assert_agree, size_of, theirs


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float).reshape(-1), b.astype(float).reshape(-1)
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300))


@given(st.data(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_linear(data: st.DataObject, normalize: bool) -> None:
    base, models = data.draw(families())
    weight = data.draw(weights(len(models)))
    assume(not normalize or abs(sum(weight)) > 1e-6)
    given_ = {"weight": weight, "normalize": normalize}
    total = abs(sum(weight)) if normalize else 1.0
    condition = sum(map(abs, weight)) / total
    ours = run("linear", base, models, given_)
    exact = np.asarray(sum(w * m.astype(float) for w, m in zip(weight, models, strict=True)))
    exact = exact / sum(weight) if normalize else exact
    assert_agree(ours, np.asarray(exact), size_of(None, models), condition)
    peer = theirs("linear", None, models, given_)
    assert_agree(ours, peer, size_of(None, models), condition)


@given(st.data(), st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.3]), st.sampled_from([0.001, 0.1, 3.0]))
@settings(max_examples=60, deadline=None)
def test_slerp(data: st.DataObject, t: float, scale: float) -> None:
    base, models = data.draw(families(most=1))
    base, models = family(7, base.shape, 1, scale=scale) if scale > 1 else (base, models)
    angle = abs(cosine(base, models[0]))
    assume(abs(angle - 0.9995) > 1e-5)
    condition = 2 / np.sqrt(max(1 - angle**2, 1e-3))
    ours = run("slerp", base, models, {"t": t})
    peer = theirs("slerp", base, models, {"t": t})
    assert_agree(ours, peer, size_of(base, models), condition)


@given(st.data(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_model_stock(data: st.DataObject, filter_wise: bool) -> None:
    base, models = data.draw(families(least=2))
    assume(base.ndim or not filter_wise)
    shared = models[0] - base
    models = [(model + shared).astype(np.float32) for model in models]
    moved = deltas(base, models)
    rows = [
        d.reshape(-1, d.shape[-1]) if filter_wise and d.ndim else d.reshape(1, -1) for d in moved
    ]
    for position, left in enumerate(rows):
        for right in rows[position + 1 :]:
            for a, b in zip(left, right, strict=True):
                assume(cosine(a, b) >= 0)  # below zero the two differ on purpose
                assume(np.linalg.norm(a) * np.linalg.norm(b) > 1e-5)
    ours = run("model_stock", base, models, {"filter_wise": filter_wise})
    peer = theirs("model_stock", base, models, {"filter_wise": filter_wise})
    assert_agree(ours, peer, size_of(base, models), 4)


@pytest.mark.parametrize("scale", [1.0, 0.3, -2.0])
def test_passthrough(scale: float) -> None:
    _, models = family(1, (5, 6), 1)
    ours = run("passthrough", None, models, {"scale": (scale,)})
    assert np.array_equal(ours, theirs("passthrough", None, models, {"scale": (scale,)}))
