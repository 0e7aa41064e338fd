"""Every method of the catalogue on a device, against the CPU engine, over random plans."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping

import numpy as np
import pytest

from bot.checkpoint.memory import MemorySource
from bot.checkpoint.tensor import Dtype
from bot.methods.block import GRAIN, Unit
from bot.methods.catalogue import catalogue
from bot.methods.registry import Method
from tests.engine.gpu.cases import DEVICE, Watched, made, random_merge, steps

TINY = {"matrix": (33, 20), "cube": (3, 4, 5), "vector": (41,), "number": (), "none": (0, 8)}
LARGE = {Unit.ROW: {"matrix": (1030, 1021)}, Unit.GRAIN: {"vector": (GRAIN + 17,)}}
PLANS = 6
FAR: dict[str, int] = {}
"""Method -> elements more than a step apart, all of them decisions within 4 float32 ulp."""


def compare(
    method: Method, rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], dtype: Dtype
) -> None:
    plan, sources = random_merge(rng, method, shapes, dtype)
    given, device = plan.jobs[0].parameters, Watched()
    there, here = made(plan, sources, device), made(plan, sources, "cpu")
    assert all(device.settled)
    assert device.settled
    for name in here:
        apart = steps(there[name], here[name], dtype)
        if exact(method, given):
            assert there[name] == here[name], given
        elif (apart > 1).any():
            undecided = near_calls(method, sources, name, dtype)
            assert not (apart[~undecided] > 1).any(), given
            FAR[method.name] = FAR.get(method.name, 0) + int((apart > 1).sum())


def exact(method: Method, given: Mapping[str, object]) -> bool:
    """Elementwise arithmetic of IEEE operations; a sum over a row is made in another order."""
    return method.exact == "any host" and not given.get("filter_wise")


def near_calls(
    method: Method, sources: Mapping[str, MemorySource], name: str, dtype: Dtype
) -> np.ndarray:
    """Where the only method that decides by what the device computed is within 4 ulp of a tie."""
    assert method.name == "arcee_fusion"
    base, other = (tensor(source, name, dtype) for source in sources.values())
    p, q = softmax(other) + 1e-8, softmax(base) + 1e-8
    row = np.maximum((p * np.log(p / q)).sum(-1, keepdims=True), 0)
    weight = np.ravel(abs(other - base) * row)
    quarter, half, three = np.quantile(weight, [0.25, 0.5, 0.75], method="lower")
    limit = half + 1.5 * (three - quarter)
    return abs(weight - limit) < 4 * np.spacing(np.float32(limit))


def softmax(rows: np.ndarray) -> np.ndarray:
    powers = np.exp(rows - rows.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def tensor(source: MemorySource, name: str, dtype: Dtype) -> np.ndarray:
    spec = source.tensors()[name]
    stored = bytearray(spec.nbytes)
    source.read_into(name, 0, memoryview(stored))
    kind = "<u2" if dtype is Dtype.BF16 else "<u4"
    bits = np.frombuffer(stored, kind).astype(np.uint32) << (32 - 8 * dtype.itemsize)
    return np.atleast_1d(bits.view(np.float32).reshape(spec.shape).astype(np.float64))


@pytest.mark.parametrize("dtype", [Dtype.BF16, Dtype.F32], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("name", sorted(catalogue()))
def test_small_tensors(name: str, dtype: Dtype) -> None:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for _ in range(PLANS):
        compare(catalogue()[name], rng, TINY, dtype)


@pytest.mark.parametrize("dtype", [Dtype.BF16, Dtype.F32], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize(
    "name", sorted(name for name, found in catalogue().items() if found.unit is not Unit.TENSOR)
)
def test_tensors_of_several_grains(name: str, dtype: Dtype) -> None:
    method = catalogue()[name]
    compare(method, np.random.default_rng(5), LARGE[method.unit], dtype)


def test_close_decisions_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Last in this file: what the tests above let pass."""
    with capsys.disabled():
        far = ", ".join(f"{name} {count}" for name, count in FAR.items()) or "0"
        sys.stdout.write(
            f"\n{len(catalogue())} methods on {DEVICE}; elements more than one step from the CPU, "
            f"their decisions closer than 4 float32 ulp: {far}\n"
        )
    assert set(FAR) <= {"arcee_fusion"}
