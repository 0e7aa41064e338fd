"""The exact k-th magnitude against sorting, with many ties and odd block borders."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.methods.core.apply import Inputs, reduce
from bot.methods.core.method_input import Unit
from bot.methods.operators.sparsify import Trim
from bot.methods.reductions.kth_magnitude import KthMagnitude, Target, Top
from bot.methods.reductions.magnitude_histogram import BINS, Histogram, MagnitudeCounts
from tests.methods.oracles import keep_ranks


def trimmed(delta: np.ndarray, k: int, grain: int) -> np.ndarray:
    inputs = Inputs(base=np.zeros_like(delta), models=[delta], tensor="w")
    cuts = reduce(KthMagnitude((Target(0, lambda _: k),)), [inputs], Unit.GRAIN, grain)
    return np.concatenate([Trim(cuts)(block)[0] for block in inputs.blocks(Unit.GRAIN, grain)])


@given(
    values=st.lists(
        st.one_of(
            st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, -1.0]),
            st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=True),
        ),
        min_size=1,
        max_size=60,
    ),
    grain=st.integers(1, 70),
    share=st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_keeps_exactly_the_k_largest_lowest_index_first(
    values: list[float], grain: int, share: float
) -> None:
    delta = np.array(values, np.float32)
    k = round(share * delta.size)
    assert np.array_equal(trimmed(delta, k, grain), keep_ranks(delta.astype(float), 0, k))


@pytest.mark.parametrize("levels", [2, 5, 40])
@pytest.mark.parametrize("density", [0.001, 0.2, 0.77, 0.999])
def test_large_tensors_with_massive_ties(levels: int, density: float) -> None:
    rng = np.random.default_rng(levels)
    delta = (rng.integers(-levels, levels + 1, 200_000) / 128).astype(np.float32)
    k = Top(density)(delta.size)
    kept = trimmed(delta, k, 1 << 14)
    assert np.array_equal(kept, keep_ranks(delta.astype(float), 0, k))
    if k <= np.count_nonzero(delta):
        assert np.count_nonzero(kept) == k


@pytest.mark.parametrize("k", [1, 137, 4000, 9999])
def test_ties_that_need_all_bits(k: int) -> None:
    rng = np.random.default_rng(k)
    delta = (rng.integers(-6, 7, 10_000) / 3).astype(np.float32)  # thirds fill the low half
    assert np.array_equal(trimmed(delta, k, 512), keep_ranks(delta.astype(float), 0, k))


def fixed(count: int, _elements: int) -> int:
    return count


def test_model_scope_counts_over_all_tensors_in_order() -> None:
    rng = np.random.default_rng(3)
    parts = [(rng.integers(-3, 4, size) / 8).astype(np.float32) for size in (30, 1, 200)]
    tensors = [
        Inputs(base=np.zeros_like(part), models=[part], tensor=str(number))
        for number, part in enumerate(parts)
    ]
    whole = np.concatenate(parts).astype(float)
    for k in (1, 20, 100, 230):
        asked = KthMagnitude((Target(0, partial(fixed, k)),), "model")
        cuts = reduce(asked, tensors, Unit.GRAIN, 16)
        kept = [Trim(cuts)(block)[0] for one in tensors for block in one.blocks(Unit.GRAIN, 16)]
        assert np.array_equal(np.concatenate(kept), keep_ranks(whole, 0, k))


@pytest.mark.parametrize(
    ("density", "elements", "kept"),
    [(0.0, 10, 0), (1.0, 10, 10), (0.001, 10, 1), (0.25, 10, 2), (0.5, 1, 1), (0.5, 0, 0)],
)
def test_how_many_ties_keeps(density: float, elements: int, kept: int) -> None:
    assert Top(density)(elements) == kept


@pytest.mark.parametrize("keeps", [True, False])
def test_counts_are_the_same_however_tallies_are_put_together(keeps: bool) -> None:
    blocks = [np.random.default_rng(seed).integers(0, BINS, 500) for seed in range(4)]
    single = [
        MagnitudeCounts(1, keeps).note(("w", number), [Histogram.of(bins)])
        for number, bins in enumerate(blocks)
    ]
    left = MagnitudeCounts(1, keeps).add(single[0]).add(single[1])
    right = MagnitudeCounts(1, keeps).add(single[2]).add(single[3])
    expected = np.bincount(np.concatenate(blocks), minlength=BINS)
    assert np.array_equal(left.add(right).counts(), expected[None])
    assert np.array_equal(left.counts(), expected[None])  # asking changes nothing
