"""Parity with mergekit 0.1.5: the deterministic task-vector methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.methods import oracles
from tests.methods.cases import densities, families, run, weights
from tests.parity.peer import assert_agree, size_of, theirs

FLAGS = {"normalize": st.booleans(), "lambda": st.sampled_from([1.0, 0.5, -1.0, 1.7])}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_task_arithmetic(data: st.DataObject) -> None:
    base, models = data.draw(families())
    given_: dict[str, Any] = data.draw(
        st.fixed_dictionaries({"weight": weights(len(models)), **FLAGS})
    )
    expected = oracles.summed(
        base.astype(float),
        oracles.deltas(base, models),
        given_["weight"],
        normalize=given_["normalize"],
        lambda_=given_["lambda"],
    )
    ours = run("task_arithmetic", base, models, given_)
    size = size_of(base, models)
    assert_agree(ours, expected.value, size, expected.condition)
    assert_agree(ours, theirs("task_arithmetic", base, models, given_), size, expected.condition)


def agree_where_decided(
    method: str,
    base: np.ndarray,
    models: Sequence[np.ndarray],
    parameters: Mapping[str, Any],
    kept: Sequence[np.ndarray],
    tied: np.ndarray,
) -> None:
    """Ours against mergekit off the ties, and against our own rule's oracle everywhere."""
    merge = oracles.elected if method.endswith("ties") else oracles.summed
    expected = merge(
        base.astype(float),
        kept,
        parameters["weight"],
        normalize=parameters["normalize"],
        lambda_=parameters["lambda"],
    )
    ours = run(method, base, models, parameters)
    size = size_of(base, models)
    assert_agree(ours, expected.value, size, expected.condition, expected.close)
    peer = theirs(method, base, models, parameters)
    assert_agree(ours, peer, size, expected.condition, expected.close | tied)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_ties(data: st.DataObject) -> None:
    base, models = data.draw(families())
    given_: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {
                "weight": weights(len(models)),
                "density": densities(len(models)),
                "rescale": st.booleans(),
                **FLAGS,
            }
        )
    )
    moved = oracles.deltas(base, models)
    kept = [oracles.trim(d, share) for d, share in zip(moved, given_["density"], strict=True)]
    if given_["rescale"]:
        kept = [oracles.restore_l1(d, k) for d, k in zip(moved, kept, strict=True)]
    tied = np.any(
        [
            oracles.on_threshold(d, [max(1, int(share * d.size))])
            for d, share in zip(moved, given_["density"], strict=True)
        ],
        axis=0,
    )
    agree_where_decided("ties", base, models, as_ours(given_), kept, tied)


@given(st.data(), st.sampled_from(["breadcrumbs", "breadcrumbs_ties"]))
@settings(max_examples=120, deadline=None)
def test_breadcrumbs(data: st.DataObject, method: str) -> None:
    base, models = data.draw(families())
    count = len(models)
    given_: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {
                "weight": weights(count),
                "density": densities(count),
                "gamma": st.lists(
                    st.sampled_from([0.0, 0.01, 0.1, 0.6]), min_size=count, max_size=count
                ).map(tuple),
                **FLAGS,
            }
        )
    )
    moved = oracles.deltas(base, models)
    settings_ = list(zip(moved, given_["density"], given_["gamma"], strict=True))
    kept = [oracles.band(*one) for one in settings_]
    tied = np.any([oracles.on_threshold(d, edges(d.size, p, g)) for d, p, g in settings_], axis=0)
    agree_where_decided(method, base, models, given_, kept, tied)


def edges(elements: int, density: float, gamma: float) -> list[int]:
    kept = int(density * elements)
    top = min(int(gamma * elements), elements - kept)
    return [top, top + kept]


def as_ours(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """mergekit's booleans as recipes read them."""
    return {**parameters, "rescale": "true" if parameters["rescale"] else "false"}
