"""Kernels equal the plain definitions bit for bit, on bf16 parents full of ties and zeros."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.checkpoint.encode import encode
from bot.checkpoint.memory_checkpoint import MemorySink, MemorySource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.execute import execute
from bot.engine.kernel_choice import Kernels, load_kernels
from bot.engine.kernels.ordered_sum_kernel import gram
from bot.engine.kernels.scratch import lanes, marks, tiles
from bot.engine.kernels.sparsify_args import NO_DROPS
from bot.engine.kernels.stored_grain import Bits, Combine, FoldKernel, StoredGrain
from bot.engine.kernels.task_vector_kernel import magnitude_sums
from bot.errors import NonFiniteError
from bot.methods.core.all_methods import catalogue
from bot.methods.core.method_input import Unit
from bot.methods.core.reduction import Reduction
from bot.methods.reductions.gram import dot
from bot.methods.reductions.ordered_sum import lane_sum
from tests.engine.plans import plan_for

NEVER = 1 << 60
SHAPES = {"matrix": (700, 1601), "vector": (2049,), "number": (), "one": (1,), "none": (0, 8)}
PAIR = {"weight": (0.7, -0.4)}
CASES: list[tuple[str, dict[str, Any], str | None]] = [
    ("linear", {"weight": (0.2, 0.3, 0.6)}, None),
    ("linear", {"weight": (0.2, 0.3, 0.6), "normalize": False}, None),
    ("task_arithmetic", PAIR, "base"),
    ("task_arithmetic", PAIR | {"normalize": True, "lambda": 0.6}, "base"),
    ("ties", {"weight": (0.7, 0.6), "density": (0.31, 0.52)}, "base"),
    ("ties", PAIR | {"density": (0.31, 1.0), "scope": "model", "normalize": False}, "base"),
    ("ties", {"weight": (0.7, 0.6), "density": (0.31, 0.52), "rescale": "l1"}, "base"),
    ("breadcrumbs", {"weight": (0.7, 0.6), "density": (0.31, 0.52)}, "base"),
    ("breadcrumbs_ties", PAIR | {"density": (0.3, 0.6), "gamma": (0.2, 0.01)}, "base"),
    ("dare_linear", PAIR | {"density": (0.3, 1.0)}, "base"),
    ("dare_ties", {"weight": (0.7, 0.6), "density": (0.3, 0.5)}, "base"),
    ("dare_ties", {"weight": (0.7, 0.6), "density": (0.3, 0.001)}, "base"),
    ("dare_ties", PAIR | {"density": (0.3, 0.5), "rescale": "none"}, "base"),
    ("model_stock", {}, "base"),
    ("della", {"weight": (0.7, 0.6), "density": (0.3, 0.5), "epsilon": (0.15, 0.0)}, "base"),
    ("della_linear", PAIR | {"density": (0.4, 1.0), "epsilon": 0.1}, "base"),
    ("della_linear", PAIR | {"density": (1.0, 1 - 1e-10), "epsilon": (0.1, 1e-11)}, "base"),
    ("nuslerp", {"weight": (0.7, 0.6)}, "base"),
    ("multislerp", {"weight": (0.7, 0.6)}, "base"),
    ("multislerp", {"weight": (0.7, 0.2, 0.6), "log_map": True}, None),
    ("karcher", {}, None),
    ("ram", {}, "base"),
    ("ram", {"epsilon": 0.0}, "base"),
    ("ramplus_tl", {"r": 0.4, "epsilon": 1e-3}, "base"),
    ("ramplus", {"r": -1.0, "alpha": 1.0}, "base"),
    ("consensus_ta", PAIR | {"lambda": 0.6}, "base"),
    ("consensus_ta", PAIR | {"agreement": 1, "strictness": (0.6, 0.2)}, "base"),
    ("tall_masks", {"weight": (0.7, 0.6), "task": 2}, "base"),
    ("sce", {}, "base"),
    ("sce", {"select_topk": 0.5}, "base"),
    ("sce", {"select_topk": 0.001}, "base"),
    ("sce", {"select_topk": 0.0}, "base"),
]  # fmt: skip


def parents(dtype: Dtype, count: int = 3) -> dict[str, MemorySource]:
    """A base and fine-tunes whose deltas repeat few magnitudes, with a share of exact zeros."""
    rng = np.random.default_rng(7)
    tensors: list[dict[TensorSpec, memoryview]] = [{} for _ in range(count)]
    for name, shape in SHAPES.items():
        spec = TensorSpec(name=name, dtype=dtype, shape=shape)
        base = (rng.standard_normal(spec.elements) * 0.02).astype(np.float32)
        for number, model in enumerate(tensors):
            delta = rng.standard_normal(spec.elements).astype(np.float32) * 1e-3
            delta[rng.random(spec.elements) < 0.2] = 0
            data = memoryview(bytearray(spec.nbytes))
            encode(base + delta * (number > 0), dtype, data)
            model[spec] = data
    names = ("base", "one", "two", "three")
    return {name: MemorySource(model) for name, model in zip(names, tensors, strict=False)}


METHODS_WITH_A_KERNEL = {
    "arcee_fusion", "breadcrumbs", "breadcrumbs_ties", "consensus_ta", "dare_linear", "dare_ties",
    "della", "della_linear", "karcher", "linear", "model_stock", "multislerp", "nearswap",
    "nuslerp", "passthrough", "ram", "ramplus", "ramplus_tl", "sce", "slerp", "tall_masks",
    "task_arithmetic", "ties",
}  # fmt: skip
REDUCTIONS_WITH_A_KERNEL = {
    "DeltaEnergy", "EqualBefore", "Gram", "ImportanceQuartiles", "KthMagnitude", "L1Ratio",
    "LowBits", "SharedAndUnique",
}  # fmt: skip


class Recorder:
    """The real kernels; notes which tensors' grains they merged and which reductions they folded.

    A kernel that gives up a grain (False) leaves it to the plain definition and is not noted.
    """

    def __init__(self) -> None:
        self.merged: set[str] = set()
        self.folded: set[str] = set()
        self.plain_reductions: set[str] = set()

    def load(self) -> Kernels:
        return Kernels(self._for_method, self._for_reduction)

    def _for_method(self, name: str, arguments: Any, stats: Any) -> Combine | None:
        kernel = load_kernels().for_method(name, arguments, stats)

        def noted(grain: StoredGrain, out: Bits) -> bool:
            assert kernel is not None
            finite = kernel(grain, out)
            if finite:
                self.merged.add(grain.tensor)
            return finite

        return noted if kernel else None

    def _for_reduction(self, reduction: Reduction[Any]) -> FoldKernel | None:
        kernel = load_kernels().for_reduction(reduction)
        name = type(getattr(reduction, "reduction", reduction)).__name__
        (self.folded if kernel else self.plain_reductions).add(name)
        return kernel


def merged(
    sources: dict[str, MemorySource], method: str, parameters: dict[str, Any], base: str | None,
    *, dtype: Dtype, fuse_from: int, kernels: Callable[[], Kernels] = load_kernels,
) -> dict[str, bytes]:  # fmt: skip
    plan = plan_for(sources, method, parameters, base=base, dtype=dtype, seed=11)
    sink = MemorySink()
    execute(plan, sources, sink, threads=1, fuse_from=fuse_from, kernels=kernels)
    return {name: bytes(data) for name, data in sink.tensors.items()}


def merged_by_kernels(
    sources: dict[str, MemorySource], method: str, parameters: dict[str, Any], base: str | None,
    *, dtype: Dtype,
) -> dict[str, bytes]:  # fmt: skip
    """Merge, and assert that every tensor with elements and every statistic came from a kernel."""
    seen = Recorder()
    call = (sources, method, parameters, base)
    result = merged(*call, dtype=dtype, fuse_from=0, kernels=seen.load)
    assert seen.merged == {name for name, shape in SHAPES.items() if math.prod(shape)}
    assert not seen.plain_reductions
    return result


@pytest.mark.parametrize(("method", "parameters", "base"), CASES)
def test_a_kernel_equals_the_plain_definition(
    method: str, parameters: dict[str, Any], base: str | None
) -> None:
    sources = parents(Dtype.BF16)
    call = (sources, method, parameters, base)
    fused = merged_by_kernels(*call, dtype=Dtype.BF16)
    assert fused == merged(*call, dtype=Dtype.BF16, fuse_from=NEVER)


@pytest.mark.parametrize(
    ("stored", "output"),
    [
        (Dtype.F32, Dtype.F32),
        (Dtype.F16, Dtype.BF16),
        (Dtype.BF16, Dtype.F16),
        (Dtype.F64, Dtype.F32),
    ],
)
def test_in_every_dtype(stored: Dtype, output: Dtype) -> None:
    call = (parents(stored), "ties", {"weight": (0.7, 0.6), "density": (0.3, 0.5)}, "base")
    fused = merged_by_kernels(*call, dtype=output)
    assert fused == merged(*call, dtype=output, fuse_from=NEVER)


TWO: list[tuple[str, dict[str, Any], str | None]] = [
    ("slerp", {"t": 0.3}, "base"),
    ("nuslerp", {"weight": (0.7, 0.6)}, None),
    ("nearswap", {"t": 1e-3}, "base"),
    ("nearswap", {"t": 0.0}, "base"),
    ("arcee_fusion", {}, "base"),
]


@pytest.mark.parametrize("stored", [Dtype.BF16, Dtype.F32])
@pytest.mark.parametrize(("method", "parameters", "base"), TWO)
def test_methods_of_two_models(
    method: str, parameters: dict[str, Any], base: str | None, stored: Dtype
) -> None:
    call = (parents(stored, count=2), method, parameters, base)
    fused = merged_by_kernels(*call, dtype=Dtype.BF16)
    assert fused == merged(*call, dtype=Dtype.BF16, fuse_from=NEVER)


def test_one_model_scaled() -> None:
    call = (parents(Dtype.BF16, count=1), "passthrough", {"scale": (0.7,)}, None)
    fused = merged_by_kernels(*call, dtype=Dtype.BF16)
    assert fused == merged(*call, dtype=Dtype.BF16, fuse_from=NEVER)


def test_every_method_that_must_have_a_kernel_is_tested_with_it() -> None:
    """Only methods that decompose whole matrices do without one."""
    parted = {name for name, method in catalogue().items() if method.unit is not Unit.TENSOR}
    assert parted == METHODS_WITH_A_KERNEL
    assert {method for method, _, _ in [*CASES, *TWO]} | {"passthrough"} == METHODS_WITH_A_KERNEL


def test_every_reduction_that_must_have_a_kernel_is_folded_by_it() -> None:
    folded = set()
    for method, parameters, base in [*CASES, *TWO]:
        seen = Recorder()
        sources = parents(Dtype.BF16, count=2 if (method, parameters, base) in TWO else 3)
        few = {name: MemorySource(small(source)) for name, source in sources.items()}
        merged(few, method, parameters, base, dtype=Dtype.BF16, fuse_from=0, kernels=seen.load)
        folded |= seen.folded
    assert folded == REDUCTIONS_WITH_A_KERNEL


def small(source: MemorySource) -> dict[TensorSpec, memoryview]:
    """All but the matrix."""
    kept = {}
    for name, spec in source.tensors().items():
        if name != "matrix":
            data = memoryview(bytearray(spec.nbytes))
            source.read_into(name, 0, data)
            kept[spec] = data
    return kept


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bits", [0x7F80, 0xFF80, 0x7FC1, 0xFFFF])
@pytest.mark.parametrize(("method", "parameters", "base"), [*CASES, *TWO])
def test_no_kernel_overlooks_what_is_not_finite(
    method: str, parameters: dict[str, Any], base: str | None, bits: int
) -> None:
    count = 2 if (method, parameters, base) in TWO else 3
    spec = TensorSpec(name="w", dtype=Dtype.BF16, shape=(3, 4097))
    rng = np.random.default_rng(5)
    for broken in range(count):
        stored = (rng.standard_normal((count, spec.elements), np.float32).view("<u4") >> 16).astype(
            "<u2"
        )
        stored[broken, 5000] = bits
        names = ("base", "one", "two")[:count]
        sources = {
            name: MemorySource({spec: memoryview(row.tobytes())})
            for name, row in zip(names, stored, strict=True)
        }
        with pytest.raises(NonFiniteError, match=rf"{names[broken]}.*element 5000"):
            merged(sources, method, parameters, base, dtype=Dtype.BF16, fuse_from=0)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 4095, 4096, 4097, 100_003])
def test_long_sums_keep_their_order(count: int) -> None:
    rng = np.random.default_rng(count)
    rows = rng.standard_normal((2, count)) * 10.0 ** (np.arange(count) % 7)
    left, right = rows.astype(np.float32)
    stored, products = np.array([left, right]).view(np.uint32), np.zeros((2, 2))
    gram(stored, np.uint32(0), False, products, tiles(2), lanes(2, 2))
    exact = [math.fsum(left * right.astype(np.float64)), math.fsum(abs(left).astype(np.float64))]
    assert products[0, 1] == dot(left, right) == pytest.approx(exact[0], rel=1e-9)
    deltas = np.array([0 * left, left]).view(np.uint32)
    bands, sums = np.array([[[0, 0x7FFFFFFF]]], np.uint32), np.zeros((2, 1))
    whole_grain = np.array([count], np.int64), bands, NO_DROPS
    magnitude_sums(deltas, np.uint32(0), *whole_grain, sums, tiles(2), marks(), lanes(2))
    whole = lane_sum(abs(left).astype(np.float64))
    assert sums[0, 0] == sums[1, 0] == whole == pytest.approx(exact[1])
