"""Consensus task arithmetic and TALL masks."""

from __future__ import annotations

import numpy as np
import pytest

from bot.errors import PlanError
from tests.methods.cases import family, run


def test_a_single_task_claims_all_it_changed() -> None:
    base, (model,) = family(1, (9, 9), 1)
    out = run("consensus_ta", base, [model], {"agreement": 1})
    assert np.allclose(out, model, atol=1e-6)


def test_agreement_zero_is_task_arithmetic_and_too_much_the_base() -> None:
    base, models = family(2, (9, 9), 3)
    plain = run("task_arithmetic", base, models, {"weight": (1.0,) * 3})
    assert np.array_equal(run("consensus_ta", base, models, {"agreement": 0}), plain)
    assert np.array_equal(run("consensus_ta", base, models, {"agreement": 4}), base)


def test_claims_shrink_as_the_demand_grows() -> None:
    base, models = family(3, (30, 30), 3)
    kept = [
        np.count_nonzero(run("consensus_ta", base, models, {"strictness": strict}) != base)
        for strict in (0.0, 0.2, 0.5, 1.0, 5.0)
    ]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > kept[-1]


def test_a_mask_brings_back_a_task_that_shares_nothing() -> None:
    base = np.zeros(6, np.float32)
    first, second = (np.array(v, np.float32) for v in ([1, 2, 3, 0, 0, 0], [0, 0, 0, 4, 5, 6]))
    for task, expected in ((1, first), (2, second)):
        out = run("tall_masks", base, [first, second], {"task": task})
        assert np.array_equal(out, expected)
    with pytest.raises(PlanError, match="no task 3"):
        run("tall_masks", base, [first, second], {"task": 3})
