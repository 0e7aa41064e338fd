"""Every method of the catalogue on a device, against the CPU engine, over random plans."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import pytest

from bot.checkpoint.tensor_spec import Dtype
from bot.methods.core.all_methods import catalogue
from bot.methods.core.method_input import GRAIN, Unit
from bot.methods.core.registry import Method
from tests.engine.gpu.cases import Watched, made, random_merge, steps

TINY = {"matrix": (33, 20), "cube": (3, 4, 5), "vector": (41,), "number": (), "none": (0, 8)}
LARGE: dict[Unit, dict[str, tuple[int, ...]]] = {
    Unit.ROW: {"matrix": (1030, 1021)},
    Unit.GRAIN: {"vector": (GRAIN + 17,)},
}
PLANS = 6


def compare(
    method: Method, rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], dtype: Dtype
) -> None:
    plan, sources = random_merge(rng, method, shapes, dtype)
    given, device = plan.jobs[0].parameters, Watched()
    there, here = made(plan, sources, device), made(plan, sources, "cpu")
    assert all(device.settled)
    assert device.settled
    for name in here:
        if exact(method, given):
            assert there[name] == here[name], given
        else:
            assert not (steps(there[name], here[name], dtype) > 1).any(), given


def exact(method: Method, given: Mapping[str, object]) -> bool:
    """Elementwise arithmetic of IEEE operations; a sum over a row is made in another order."""
    return method.exact == "any host" and not given.get("filter_wise")


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
