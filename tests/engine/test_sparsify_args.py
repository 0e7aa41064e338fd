"""What kernels are told to drop is what the definitions drop."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.kernels.magnitude_histogram_kernel import reach_equal
from bot.engine.kernels.packed_bits import unpack
from bot.engine.kernels.sparsify_args import SparsifyArgs, sparsify_args
from bot.engine.kernels.stored_grain import StoredGrain
from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.method_input import Block, Span
from bot.methods.core.reduction import Reduction
from bot.methods.della import mag_prune
from bot.methods.operators.random_drop import Drop
from bot.methods.operators.sparsify import Band, Trim, band, kth_magnitude


@given(
    st.integers(0, 1 << 40), st.integers(1, 40), st.one_of(st.integers(1, 3000), st.just(40_000)),
    st.sampled_from([0.003, 0.3, 0.5, 0.999]), st.sampled_from([0.0, 0.0005, 0.2]),
    st.sampled_from([3, 1 << 20]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_kernel_and_definition_drop_the_same(
    start: int, rows: int, width: int, density: float, epsilon: float, levels: int
) -> None:
    rng = np.random.default_rng(width)
    start -= start % width
    span, shape = Span(start, start + rows * width, 1 << 50), (rows, width)
    models = tuple(rng.integers(1, levels, shape).astype(np.float32) for _ in range(2))
    base = np.zeros(shape, np.float32)
    draws = PhiloxDraws(seed=rows, tensor="w")
    fits = epsilon < min(density, 1 - density)
    drop = mag_prune((density, 1.0), (epsilon, 0.0)) if fits else Drop((density, 1.0))
    block = Block(base=base, models=models, span=span, shape=shape, tensor="w", draws=draws)
    bits = np.stack([base, *models]).reshape(3, -1).view(np.uint32)
    grain = StoredGrain(
        bits=bits, has_base=True, width=width, span=span, tensor="w", draws=draws,
        kept_masks={},
    )  # fmt: skip
    kernel = sparsify_args(drop)
    assert kernel is not None
    marks = np.empty(-(-rows * width // 8), np.uint64)
    for thinned, dropped in zip(drop(block), kernel(grain).dropped, strict=True):
        unpack(dropped, rows * width, marks)
        np.testing.assert_array_equal(
            marks.view(np.uint8)[: rows * width] == 0, thinned.reshape(-1) != 0
        )


def _in_band(thin: SparsifyArgs, model: int, delta: np.ndarray) -> np.ndarray:
    """What is left of a grain's deltas by the bands of its parts."""
    bits = np.abs(delta).view(np.uint32)
    left = np.zeros_like(delta)
    for start, stop, bands in zip((0, *thin.ends[:-1]), thin.ends, thin.bands, strict=True):
        lowest, width = bands[model]
        part = slice(start, stop)
        left[part] = np.where(bits[part] - lowest <= width, delta[part], 0)
    return left


@given(
    st.integers(0, 1 << 32), st.lists(st.integers(1, 5000), min_size=1, max_size=3),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3)), min_size=1, max_size=3),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_a_grain_ends_a_band_where_a_thresholds_ties_run_out(
    seed: int, sizes: list[int], shares: list[tuple[float, float]], two_sided: bool
) -> None:
    rng = np.random.default_rng(seed)
    elements, models = sum(sizes), len(shares)
    density, gamma = zip(*shares, strict=True)
    asked = band(density, gamma) if two_sided else kth_magnitude(density, "tensor")
    assume(asked is not None)
    values = rng.integers(-4, 5, (models + 1, elements)).astype(np.float32)  # few: most tie
    spec = TensorSpec(name="w", dtype=Dtype.F32, shape=(elements,))
    draws, answer = PhiloxDraws(seed=0, tensor="w"), cast("Any", asked)
    grains: list[tuple[Block, StoredGrain]] = []
    for stop in np.cumsum(sizes):
        span = Span(int(stop) - sizes[len(grains)], int(stop), elements)
        rows = np.ascontiguousarray(values[:, span.start : span.stop])
        block = Block(
            base=rows[0], models=tuple(rows[1:]), span=span, shape=(elements,), tensor="w"
        )
        grain = StoredGrain(
            bits=rows.view(np.uint32), has_base=True, width=1, span=span, tensor="w", draws=draws,
            kept_masks={},
        )  # fmt: skip
        grains.append((block, grain))
    while isinstance(answer, Reduction):
        state = answer.empty(spec, models)
        for block, _ in grains:
            state = answer.merge(state, answer.update(answer.empty(spec, models), block))
        answer = answer.finish(state)
    thinning = Band(answer) if two_sided else Trim(answer)
    kernel = sparsify_args(thinning)
    assert kernel is not None
    for block, grain in grains:
        thin = kernel(grain)
        for model, expected in enumerate(thinning(block)):
            np.testing.assert_array_equal(_in_band(thin, model, block.deltas[model]), expected)


@pytest.mark.parametrize("size", [1, 2047, 2048, 2049, 9000])
def test_where_equal_magnitudes_run_out(size: int) -> None:
    model = np.where(np.arange(size) % 3, np.float32(0.5), np.float32(-2)).view(np.uint32)
    base, wanted = np.zeros(size, np.uint32), np.float32(2).view(np.uint32)
    places = np.flatnonzero(np.arange(size) % 3 == 0)
    for count in {0, len(places) // 2, len(places) - 1}:
        end = reach_equal(base, model, np.uint32(0), wanted, count)
        assert (places < end).sum() == count
    assert reach_equal(base, model, np.uint32(0), wanted, len(places) + 1) == size
