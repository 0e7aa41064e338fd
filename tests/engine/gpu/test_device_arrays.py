"""Device arrays answer as NumPy arrays do, stay on their device, and refuse what is not listed."""

from __future__ import annotations

import operator
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from bot.engine.gpu.device_arrays import TORCH, DeviceArray
from bot.engine.gpu.device_random_masks import DeviceDraws
from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.all_methods import catalogue
from bot.methods.core.method_input import Block, Span
from bot.methods.reductions.kth_magnitude import Cut
from tests.engine.gpu.cases import DEVICE, count_of_models, parameters

ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
KINDS = (np.bool_, np.int64, np.float32, np.float64)


def on_device(array: Any) -> DeviceArray:
    return DeviceArray(torch.tensor(array, dtype=TORCH[array.dtype], device=DEVICE))


def same(ours: Any, numpy: Any) -> bool:
    host = np.asarray(ours)
    return host.dtype == numpy.dtype and np.array_equal(host, numpy, equal_nan=True)


@st.composite
def operands(draw: st.DrawFn) -> tuple[Any, Any]:
    """An array and another one, a NumPy scalar or a number."""
    seed = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    left: np.ndarray = (seed.standard_normal((3, 5)) * 3).astype(draw(st.sampled_from(KINDS)))
    right: np.ndarray = (seed.standard_normal((3, 5)) * 3).astype(draw(st.sampled_from(KINDS)))
    other = st.sampled_from([right, right[0], right[0, 0], 0.1, -3.0, 7])
    return left, draw(other)


@given(operands(), st.sampled_from(ARITHMETIC + COMPARISONS))
@settings(max_examples=200, deadline=None)
def test_operators_give_numpys_values_and_types(pair: tuple[Any, Any], operation: Any) -> None:
    left, right = pair
    if operation is operator.sub and left.dtype == np.asarray(right).dtype == np.bool_:
        operation = operator.mul  # NumPy does not subtract truth values
    with np.errstate(all="ignore"):
        expected, reversed_ = operation(left, right), operation(right, left)
    assert same(operation(on_device(left), right), expected)
    assert same(operation(right, on_device(left)), reversed_)
    if isinstance(right, np.ndarray):
        assert same(operation(on_device(left), on_device(right)), expected)


@pytest.mark.parametrize("shape", [(7,), (4, 6), (2, 3, 4)])
def test_functions_and_methods_give_numpys_values(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    host = rng.integers(-5, 6, shape).astype(np.float64)
    there = on_device(host)
    assert same(there.sum(axis=-1, keepdims=True), host.sum(axis=-1, keepdims=True))
    assert same(there.sum(), np.asarray(host.sum()))
    assert same(there.astype(np.float32).sum(dtype=np.float64), np.asarray(host.sum()))
    assert same(there.max(axis=-1, keepdims=True), host.max(axis=-1, keepdims=True))
    assert same(there.clip(-2, 2), host.clip(-2, 2))
    assert same(np.cumsum((there > 0).reshape(-1), 0), np.cumsum((host > 0).reshape(-1), 0))
    assert same(np.argsort(there, stable=True), np.argsort(host, stable=True))
    assert same(np.where(there > 0, there, np.zeros_like(there)), np.where(host > 0, host, 0))
    assert np.count_nonzero(there) == np.count_nonzero(host)
    assert (there.ndim, there.size, there.shape, len(there)) == (
        host.ndim, host.size, host.shape, len(host)
    )  # fmt: skip


def test_a_quotient_by_a_number_is_rounded_once() -> None:
    """CUDA multiplies by the reciprocal of a number; the quotient by a tensor is exact."""
    values = np.arange(1, 2000, dtype=np.float32)
    for divisor in (3.0, 0.7, 1.3, 49.0):
        expected = (values.astype(np.float64) / np.float64(np.float32(divisor))).astype(np.float32)
        assert same(on_device(values) / divisor, expected)


def test_what_is_not_listed_is_refused() -> None:
    array = on_device(np.ones(3, np.float32))
    with pytest.raises(TypeError, match="sin"):
        np.sin(array)
    with pytest.raises(TypeError, match="median"):
        np.median(array)
    with pytest.raises(TypeError, match="reduce"):
        np.add.reduce(array)


@given(
    st.integers(0, 2**40), st.integers(0, 3), st.integers(0, 5000), st.integers(2, 300),
    st.sampled_from([0.0, 1e-6, 0.004, 0.3, 0.5, 0.999, 1.0]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_masks_are_the_hosts(
    seed: int, model: int, start: int, elements: int, probability: float
) -> None:
    host = PhiloxDraws(seed=seed, tensor="layer.0")
    device = DeviceDraws(host=host, device=DEVICE)
    span = Span(start, start + elements, 1 << 20)
    assert same(device.keep(model, probability, span), host.keep(model, probability, span))
    assert device.realised(probability) == host.realised(probability)
    rows = Span(start * elements, (start + 3) * elements, 1 << 40)
    for between in ((0.1, 0.9), (0.3, 0.31)):
        ours = device.rank_sampling(model, between, rows, elements)
        assert all(map(same, ours, host.rank_sampling(model, between, rows, elements)))


class Stay(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's gap
    """Nothing is divided by a number, or by an array on another device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket is torch.ops.aten.div:
            assert all(isinstance(arg, torch.Tensor) for arg in args), func
            assert {arg.device.type for arg in args} == {"meta"}, func
        return func(*args, **(kwargs or {}))


GIVEN = MappingProxyType(
    {
        "kth": None,
        "scale": None,
        "band": None,
        "products": np.eye(4),
        "counts": np.ones((2, 3)),
        "selection": (None, np.ones(3)),
        "quartiles": (np.ones(4, np.float32), (Cut(threshold=1.0),) * 3),
    }
)


@pytest.mark.parametrize(
    "name", sorted(name for name, method in catalogue().items() if method.exact == "any host")
)
def test_elementwise_methods_never_wait_for_the_device(name: str) -> None:
    """Arrays without values cannot be read back: nothing is decided or converted on the host."""
    method, rng = catalogue()[name], np.random.default_rng(1)
    models = min(count_of_models(rng, method) + 1, method.signature.maximum_models or 3)
    arrays: tuple[Any, ...] = tuple(
        DeviceArray(torch.empty((4, 6), device="meta")) for _ in range(models + 1)
    )
    block = Block(
        base=arrays[0], models=arrays[1:], span=Span(0, 24, 24), shape=(4, 6), tensor="w",
        draws=DeviceDraws(host=PhiloxDraws(seed=1, tensor="w"), device=torch.device("meta")),
    )  # fmt: skip
    arguments = method.arguments(parameters(rng, method, models) | {"filter_wise": False}, models)
    asked = {stat: GIVEN[stat] for stat in method.stats}
    with Stay():  # type: ignore[no-untyped-call] # torch's gap
        merged: Any = method.function(block, **vars(arguments), **asked)
    assert merged.shape == (4, 6)
    assert merged.tensor.device.type == "meta"
