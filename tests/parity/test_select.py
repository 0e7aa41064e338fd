"""Parity with mergekit 0.1.5: SCE, RAM, NearSwap and Arcee Fusion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.methods.cases import families, family, run
from tests.methods.oracles import deltas
from tests.parity.peer import assert_agree, size_of, theirs


@given(st.data(), st.sampled_from([1.0, 0.0, 0.01, 0.3, 0.8]))
@settings(max_examples=80, deadline=None)
def test_sce(data: st.DataObject, share: float) -> None:
    base, models = data.draw(families(least=2))
    moved = np.stack(deltas(base, models))
    spread = moved.astype(np.float32).var(axis=0)
    ranked = np.sort(spread.reshape(-1))[::-1]
    k = int(share * np.count_nonzero(spread))
    if 0 < share < 1 and 0 < k < ranked.size:
        assume(ranked[k - 1] - ranked[k] > 1e-5 * ranked[0])  # rounding does not decide
    kept = np.where(spread >= ranked[k - 1], moved, 0) if k > 0 and share < 1 else moved
    kept = np.zeros_like(moved) if share < 1 and k == 0 else kept
    energy = (kept**2).reshape(len(models), -1).mean(1)
    assume(energy.sum() == 0 or energy.sum() > 2e-6)  # below, mergekit weighs all alike
    total = kept.sum(0)
    noise = 4 * np.finfo(np.float32).eps * np.abs(kept).sum(0)
    close = (np.abs(total) <= noise) & (np.count_nonzero(kept, axis=0) > 1)
    agree = (np.sign(kept) == np.where(total >= 0, 1.0, -1.0)).reshape(len(models), -1)
    took_part = (agree * (energy / max(energy.sum(), 1e-12))[:, None]).sum(0).reshape(base.shape)
    tiny = (took_part > 0) & (took_part < 2e-6)  # mergekit's absolute floor
    ours = run("sce", base, models, {"select_topk": share})
    peer = theirs("sce", base, models, {"select_topk": share})
    assert_agree(ours, peer, size_of(base, models), 4, close | tiny)


@pytest.mark.parametrize("method", ["ram", "ramplus_tl"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_ram(method: str, data: st.DataObject) -> None:
    base, models = data.draw(families())
    masked = [
        np.where(np.random.default_rng(number).random(base.shape) < 0.5, base, model)
        for number, model in enumerate(models)
    ]
    given_ = {"epsilon": data.draw(st.sampled_from([1e-5, 0.05]))}
    if method == "ramplus_tl":
        given_ |= {"r": 0.4, "alpha": data.draw(st.sampled_from([0.2, 5.0]))}
    near = [np.abs(np.abs(d) - given_["epsilon"]) < 1e-7 for d in deltas(base, masked)]
    assume(not np.any(near))
    ours = run(method, base, masked, given_)
    assert_agree(ours, theirs(method, base, masked, given_), size_of(base, masked), 4)


@given(families(most=1), st.sampled_from([1e-6, 1e-4, 0.05, 10.0]))
@settings(max_examples=40, deadline=None)
def test_nearswap(drawn: tuple[np.ndarray, list[np.ndarray]], t: float) -> None:
    base, models = drawn
    ours = run("nearswap", base, models, {"t": t})
    assert_agree(ours, theirs("nearswap", base, models, {"t": t}), size_of(base, models), 2)


@pytest.mark.parametrize("shape", [(3,), (50,), (8, 1), (1, 8), (20, 30), (4, 5, 6)])
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_arcee_fusion(shape: tuple[int, ...], scale: float) -> None:
    base, models = family(len(shape), shape, 1, scale=scale)
    ours, peer = run("arcee_fusion", base, models), theirs("arcee_fusion", base, models, {})
    differs = np.abs(ours - peer) > 1e-6 * size_of(base, models)
    importance = np.abs(models[0] - base) * _divergence(models[0], base)
    ranked = np.sort(importance.reshape(-1))
    lower, median, upper = (ranked[int(q * (ranked.size - 1))] for q in (0.25, 0.5, 0.75))
    edge = median + 1.5 * (upper - lower)
    at_the_edge = np.abs(importance - edge) <= 1e-4 * max(edge, 1e-6)
    assert not np.any(differs & ~at_the_edge)


def _divergence(model: np.ndarray, base: np.ndarray) -> np.ndarray:
    def softmax(rows: np.ndarray) -> np.ndarray:
        powers = np.exp(rows.astype(float) - rows.max(-1, keepdims=True))
        found: np.ndarray = powers / powers.sum(-1, keepdims=True) + 1e-8
        return found

    p, q = softmax(model), softmax(base)
    found: np.ndarray = (p * np.log(p / q)).sum(-1, keepdims=True)
    return found
