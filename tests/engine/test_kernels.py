"""Kernels equal the plain definitions bit for bit, on bf16 parents full of ties and zeros."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bot.checkpoint.encode import encode
from bot.checkpoint.memory_checkpoint import MemorySink, MemorySource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.execute import execute
from bot.engine.kernels.ordered_sum_kernel import gram
from bot.engine.kernels.scratch import lanes, marks, tiles
from bot.engine.kernels.sparsify_args import NO_DROPS
from bot.engine.kernels.task_vector_kernel import magnitude_sums
from bot.errors import NonFiniteError
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


def merged(
    sources: dict[str, MemorySource], method: str, parameters: dict[str, Any], base: str | None,
    *, dtype: Dtype, fuse_from: int,
) -> dict[str, bytes]:  # fmt: skip
    plan = plan_for(sources, method, parameters, base=base, dtype=dtype, seed=11)
    sink = MemorySink()
    execute(plan, sources, sink, threads=1, fuse_from=fuse_from)
    return {name: bytes(data) for name, data in sink.tensors.items()}


@pytest.mark.parametrize(("method", "parameters", "base"), CASES)
def test_a_kernel_equals_the_plain_definition(
    method: str, parameters: dict[str, Any], base: str | None
) -> None:
    sources = parents(Dtype.BF16)
    call = (sources, method, parameters, base)
    fused = merged(*call, dtype=Dtype.BF16, fuse_from=0)
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
    fused = merged(*call, dtype=output, fuse_from=0)
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
    fused = merged(*call, dtype=Dtype.BF16, fuse_from=0)
    assert fused == merged(*call, dtype=Dtype.BF16, fuse_from=NEVER)


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
