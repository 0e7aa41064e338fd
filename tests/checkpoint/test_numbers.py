"""Decoding and rounding, against torch and against every value there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.checkpoint.comparing_sink import ulp_distance
from bot.checkpoint.decode import all_finite, decode
from bot.checkpoint.encode import encode
from bot.checkpoint.tensor_spec import Dtype

TORCH = {
    Dtype.BF16: torch.bfloat16, Dtype.F16: torch.float16,
    Dtype.F32: torch.float32, Dtype.F64: torch.float64,
}  # fmt: skip
EVERY_16_BITS = np.arange(1 << 16, dtype=np.uint16)


def stored(tensor: torch.Tensor) -> memoryview:
    return memoryview(bytearray(tensor.contiguous().view(torch.uint8).numpy().tobytes()))


def encoded(values: np.ndarray, dtype: Dtype) -> bytes:
    out = memoryview(bytearray(values.size * dtype.itemsize))
    encode(values, dtype, out)
    return bytes(out)


@pytest.mark.parametrize("dtype", [Dtype.BF16, Dtype.F16])
def test_every_16_bit_value_decodes_as_in_torch_and_comes_back(dtype: Dtype) -> None:
    bits = torch.from_numpy(EVERY_16_BITS.view(np.int16)).view(TORCH[dtype])
    values = decode(stored(bits), dtype)
    np.testing.assert_array_equal(values, bits.float().numpy())
    number = ~np.isnan(values)
    back = np.frombuffer(encoded(values, dtype), np.uint16)
    np.testing.assert_array_equal(back[number], EVERY_16_BITS[number])
    assert np.isnan(decode(back.data, dtype)[~number]).all()


@pytest.mark.parametrize("dtype", list(TORCH))
def test_rounding_is_torchs(dtype: Dtype) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32)
    halfway = (np.arange(1 << 16, dtype=np.uint32) << 16) | 0x8000
    values = np.concatenate([bits, halfway, halfway + 1, halfway - 1]).view(np.float32)
    expected = torch.from_numpy(values.copy()).to(TORCH[dtype])
    ours = decode(memoryview(encoded(values, dtype)), dtype)
    np.testing.assert_array_equal(ours, expected.float().numpy())


@settings(deadline=None)
@given(st.floats(width=64, allow_nan=False))
def test_float64_is_rounded_once(value: float) -> None:
    with np.errstate(over="ignore"):
        expected = np.float64(value).astype(np.float32)
    assert decode(np.array([value]).data, Dtype.F64)[0] == expected


@pytest.mark.parametrize("dtype", list(TORCH))
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_seen(dtype: Dtype, odd: float) -> None:
    largest = torch.finfo(TORCH[dtype]).max
    values = torch.tensor([0.0, -0.0, largest, -largest, 1e-30], dtype=TORCH[dtype])
    assert all_finite(stored(values), dtype)
    values[1] = odd
    assert not all_finite(stored(values), dtype)
    assert all_finite(memoryview(b""), dtype)


FINITE = st.floats(width=64, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, FINITE), max_size=4))
@example([(2.0, -2.0)])  # 2^63 units apart
@example([(0.0, -0.0)])
@example([(1.7e308, -1.7e308), (1.0, 1.0)])
def test_units_in_the_last_place_are_counted_across_zero(pairs: list[tuple[float, float]]) -> None:
    def steps_from_zero(value: float) -> int:
        bits = int.from_bytes(np.float64(abs(value)).tobytes(), "little")
        return -bits if value < 0 else bits

    wanted = max((abs(steps_from_zero(a) - steps_from_zero(b)) for a, b in pairs), default=0)
    left, right = np.array(pairs).reshape(-1, 2).T.copy()
    assert ulp_distance(left.data, right.data, Dtype.F64) == wanted
