"""Kernels fold a grain into the very state that the plain reduction gives."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.kernel_choice import load_kernels
from bot.engine.kernels.reduction_dispatch import folder
from bot.engine.kernels.stored_grain import StoredGrain
from bot.engine.random_masks import PhiloxDraws
from bot.engine.tensor_statistics import Folding
from bot.methods.core.apply import Inputs, reduce
from bot.methods.core.method_input import GRAIN, Block, Span, Unit
from bot.methods.core.reduction import Reduction
from bot.methods.operators.sparsify import Trim, kth_magnitude
from bot.methods.reductions.compose import Then
from bot.methods.reductions.delta_counts import DeltaEnergy, SharedAndUnique
from bot.methods.reductions.importance import ImportanceQuartiles
from bot.methods.reductions.kth_magnitude import Cut, EqualBefore, KthMagnitude, Target, deltas
from bot.methods.reductions.l1_ratio import L1Ratio
from bot.methods.sce import Selected, variance

LEVELS = 9  # so few values that magnitudes and variances tie


@dataclass(frozen=True)
class Case:
    """The same numbers, as a block and as they are stored."""

    block: Block
    grain: StoredGrain
    spec: TensorSpec


def case(seed: int, rows: int, width: int, models: int, *, wide: bool) -> Case:
    rng = np.random.default_rng(seed)
    values = rng.integers(-LEVELS, LEVELS + 1, (models + 1, rows * width)) / 64
    if wide:
        values = values * rng.normal(size=values.shape)
    stored = values.astype(np.float32).view(np.uint32)
    bits = stored if wide else (stored >> 16).astype(np.uint16)
    single = (bits.astype(np.uint32) << (0 if wide else 16)).view(np.float32)
    shape = (rows, width)
    span = Span(0, rows * width, rows * width)
    return Case(
        block=Block(
            base=single[0].reshape(shape),
            models=tuple(single[1:].reshape(-1, *shape)),
            span=span,
            shape=shape,
            tensor="w",
        ),
        grain=StoredGrain(
            bits=bits,
            has_base=True,
            width=width,
            span=span,
            tensor="w",
            draws=PhiloxDraws(seed=0, tensor="w"),
            kept_masks={},
        ),
        spec=TensorSpec(name="w", dtype=Dtype.F32 if wide else Dtype.BF16, shape=shape),
    )


def same(left: Any, right: Any) -> None:
    """Equal to the last bit, whatever the states are made of."""
    if isinstance(left, np.ndarray):
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            same(one, other)
    elif is_dataclass(left):
        same(list(vars(left).values()), list(vars(right).values()))
    else:
        assert left == right


def agree(reduction: Reduction[Any], at: Case) -> Any:
    """Fold by both, compare, and go on with the plain state."""
    kernel = folder(reduction)
    assert kernel is not None
    models = len(at.block.models)
    plain = reduction.update(reduction.empty(at.spec, models), at.block)
    same(kernel.fold(reduction.empty(at.spec, models), at.grain), plain)
    return reduction.finish(plain)


def all_passes(reduction: Reduction[Any], at: Case) -> Any:
    answer: Any = reduction
    while isinstance(answer, Reduction):
        answer = agree(answer, at)
    return answer


SIZES = st.sampled_from([(1, 1), (3, 5), (1, 4097), (70, 59), (5, 4096), (2, 5000)])


@given(seed=st.integers(0, 2**32), size=SIZES, models=st.integers(1, 3), wide=st.booleans(),
       share=st.floats(0, 1))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_pass_over_variances(
    seed: int, size: tuple[int, int], models: int, wide: bool, share: float
) -> None:
    at = case(seed, *size, models, wide=wide)
    (cut,) = all_passes(
        KthMagnitude((Target(0, lambda n: int(share * n), nonzero=True),), values=variance), at
    )
    spread = np.sort(variance(at.block)[0].reshape(-1))
    k = int(share * np.count_nonzero(spread))
    assert cut.threshold == (spread[-k] if k else np.inf)
    agree(DeltaEnergy(Selected(cut)), at)
    agree(DeltaEnergy(Selected(None)), at)
    agree(EqualBefore((0,), (Cut(threshold=cut.threshold, spare=1),), "tensor", variance), at)


@given(seed=st.integers(0, 2**32), size=SIZES, models=st.integers(1, 3), wide=st.booleans(),
       epsilon=st.sampled_from([0.0, 1 / 64, 0.05]))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_shared_and_unique(
    seed: int, size: tuple[int, int], models: int, wide: bool, epsilon: float
) -> None:
    agree(SharedAndUnique(epsilon, "tensor"), case(seed, *size, models, wide=wide))


@given(seed=st.integers(0, 2**32), size=SIZES, wide=st.booleans())
@settings(max_examples=30, deadline=None)
def test_importance_and_its_quartiles(seed: int, size: tuple[int, int], wide: bool) -> None:
    all_passes(ImportanceQuartiles(), case(seed, *size, 1, wide=wide))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("k", [1, 40, 2000, 4000])
def test_every_pass_over_magnitudes(k: int, wide: bool) -> None:
    targets = (Target(0, lambda _: k), Target(1, lambda n: n // 3))
    cuts = all_passes(KthMagnitude(targets), case(3, 70, 59, 2, wide=wide))
    ties = tuple(Cut(threshold=cut.threshold, spare=1) for cut in cuts)
    agree(EqualBefore((0, 1), ties, "tensor", deltas), case(3, 70, 59, 2, wide=wide))


@pytest.mark.parametrize("fused", [False, True])
def test_equal_reductions_run_once_even_where_one_begins_another(fused: bool) -> None:
    at = case(7, 5, 4096, 2, wide=True)
    first = kth_magnitude((0.3, 0.6), "tensor")
    assert first is not None
    chained = Then(first, lambda cuts: L1Ratio(Trim(cuts)))
    asked = {"cuts": kth_magnitude((0.3, 0.6), "tensor"), "scale": chained, "none": None}
    folding = Folding(asked, at.spec, 2)
    view = SimpleNamespace(block=at.block, stored=at.grain)
    job = SimpleNamespace(output=at.spec)
    loaded: Any = SimpleNamespace(views=lambda: [view], inputs=SimpleNamespace(job=job))
    while folding.open:
        grains = folding.scan([loaded], nullcontext(), kernels=load_kernels() if fused else None)
        assert [len(states) for states in grains] == [1]
        folding.fold(grains)
        folding.end_pass()
    inputs = Inputs(base=at.block.base, models=at.block.models, tensor="w")
    for name, reduction in asked.items():
        if reduction is None:
            assert folding.answers[name] is None
        else:
            same(folding.answers[name], reduce(reduction, [inputs], Unit.GRAIN, GRAIN))
