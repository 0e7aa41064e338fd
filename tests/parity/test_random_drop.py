"""Parity with mergekit 0.1.5 of the stochastic methods: in distribution, and L1 norms exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from tests.methods.cases import family, run
from tests.methods.oracles import deltas
from tests.parity.peer import theirs

DRAWS = 800
METHODS = ["dare_linear", "dare_ties", "della_linear", "della"]


def samples(
    method: str, base: np.ndarray, models: Sequence[np.ndarray], parameters: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    ours = [run(method, base, models, as_ours(parameters), seed=seed) for seed in range(DRAWS)]
    peer = [theirs(method, base, models, parameters) for _ in range(DRAWS)]
    return np.array(ours, float), np.array(peer, float)


def as_ours(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**parameters, "rescale": str(parameters["rescale"]).lower()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rescale", [True, False])
def test_the_same_distribution_at_every_element(method: str, rescale: bool) -> None:
    base, models = family(5, (4, 5), 2, scale=1.0)
    parameters = {"weight": (0.7, 0.6), "density": (0.4, 0.6), "rescale": rescale}
    ours, peer = samples(method, base, models, parameters)
    assert np.allclose(ours.mean(0), peer.mean(0), atol=5 * spread(ours, peer))
    p = stats.ks_2samp(ours.reshape(DRAWS, -1), peer.reshape(DRAWS, -1), method="asymp").pvalue
    assert p.min() > 1e-3 / base.size


def spread(ours: np.ndarray, peer: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.sqrt((ours.var(0) + peer.var(0)) / DRAWS) + 1e-6
    return found


@pytest.mark.parametrize("method", ["dare_linear", "della_linear"])
def test_l1_rescale_restores_the_norm_exactly(method: str) -> None:
    base, models = family(6, (40, 50), 1)
    parameters = {"weight": (1.0,), "density": (0.3,)}
    before = np.abs(deltas(base, models)[0]).sum()
    for merged in (
        run(method, base, models, {**parameters, "rescale": "l1"}),
        theirs(method, base, models, {**parameters, "rescale": True}),
    ):
        after = np.abs(merged.astype(float) - base).sum()
        assert after == pytest.approx(before, rel=1e-5)
