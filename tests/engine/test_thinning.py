"""Drops as bits: the kernel's thresholds and draws are the definition's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.kernels.bits import unpack
from bot.engine.kernels.stored import StoredGrain
from bot.engine.kernels.thinning import rank_limits, thinner
from bot.engine.masks import PhiloxDraws
from bot.methods.block import Block, Span
from bot.methods.drop import Drop, mag_prune

HALF = 0.15
DENSITIES = {16: 0.4, 32: 0.16}
"""By the width of the words that their probabilities need."""


@pytest.mark.parametrize("bits", DENSITIES)
@pytest.mark.parametrize("width", [2, 1000, 30_011])
def test_kernel_and_definition_have_the_same_thresholds(bits, width):
    rising = np.arange(1, width + 1, dtype=np.float32)[None]
    prune = mag_prune((DENSITIES[bits],), (HALF,))
    block = Block(
        base=0 * rising, models=(rising,), span=Span(0, width, width), shape=rising.shape,
        tensor="w", draws=None,
    )  # fmt: skip
    chance = np.asarray(prune.probability(block, 0), np.float64)
    found, limits = rank_limits(prune, 0, width)
    assert found == bits
    np.testing.assert_array_equal(limits, np.rint(chance * 2**bits)[0])


@given(
    st.integers(0, 1 << 40), st.integers(1, 40), st.integers(1, 3000),
    st.sampled_from([0.003, 0.3, 0.5, 0.999]), st.sampled_from([0.0, 0.0005, 0.2]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_kernel_and_definition_drop_the_same(start, rows, width, density, epsilon):
    rng = np.random.default_rng(width)
    span, shape = Span(start, start + rows * width, 1 << 50), (rows, width)
    models = tuple(rng.standard_normal(shape, np.float32) + 9 for _ in range(2))
    base = np.zeros(shape, np.float32)
    draws = PhiloxDraws(seed=rows, tensor="w")
    fits = epsilon < min(density, 1 - density)
    drop = mag_prune((density, 1.0), (epsilon, 0.0)) if fits else Drop((density, 1.0))
    block = Block(base=base, models=models, span=span, shape=shape, tensor="w", draws=draws)
    bits = np.stack([base, *models]).reshape(3, -1).view(np.uint32)
    grain = StoredGrain(
        bits=bits, has_base=True, width=width, span=span, tensor="w", draws=draws,
        drawn={},
    )  # fmt: skip
    kernel = thinner(drop)
    assert kernel is not None
    marks = np.empty(-(-rows * width // 8), np.uint64)
    for thinned, dropped in zip(drop(block), kernel(grain).dropped, strict=True):
        unpack(dropped, rows * width, marks)
        np.testing.assert_array_equal(
            marks.view(np.uint8)[: rows * width] == 0, thinned.reshape(-1) != 0
        )
