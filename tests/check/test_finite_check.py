"""Every NaN and infinity is found, in every dtype, wherever the pieces are cut."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bot.check.finite_check import PIECE_BYTES, NonFinite, non_finite
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.events import Event

FLOATS = {
    Dtype.F64: torch.float64,
    Dtype.F32: torch.float32,
    Dtype.F16: torch.float16,
    Dtype.BF16: torch.bfloat16,
    Dtype.F8_E5M2: torch.float8_e5m2,
    Dtype.F8_E4M3: torch.float8_e4m3fn,
}


class Bytes:
    """A source over raw bytes."""

    id = "bytes"

    def __init__(self, tensors: Mapping[str, tuple[Dtype, bytes]]) -> None:
        self.data = {name: data for name, (_, data) in tensors.items()}
        self.specs = {
            name: TensorSpec(name=name, dtype=dtype, shape=(len(data) // dtype.itemsize,))
            for name, (dtype, data) in tensors.items()
        }

    def tensors(self) -> Mapping[str, TensorSpec]:
        return self.specs

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        out[:] = self.data[name][offset : offset + out.nbytes]

    def file(self, path: str) -> bytes | None:
        return None


@pytest.mark.parametrize("dtype", FLOATS)
@given(seed=st.integers(0, 2**32 - 1))
def test_bit_patterns_are_judged_as_torch_judges_them(dtype: Dtype, seed: int) -> None:
    raw = np.random.default_rng(seed).bytes(64 * dtype.itemsize)
    tensor = torch.frombuffer(bytearray(raw), dtype=FLOATS[dtype])
    broken = np.flatnonzero(~torch.isfinite(tensor.to(torch.float64)).numpy())
    found = non_finite(Bytes({"t": (dtype, raw)}))
    if not broken.size:
        assert found == ()
    else:
        assert found == (NonFinite(tensor="t", first=int(broken[0]), count=len(broken)),)


def test_every_half_precision_number_is_judged_right() -> None:
    every = np.arange(1 << 16, dtype=np.uint16)
    for dtype in (Dtype.F16, Dtype.BF16):
        value = torch.from_numpy(every.view(np.int16)).view(FLOATS[dtype])
        count = int((~torch.isfinite(value)).sum())
        (found,) = non_finite(Bytes({"t": (dtype, every.tobytes())}))
        assert found.count == count


def test_the_last_number_of_a_large_tensor_is_seen() -> None:
    numbers = np.zeros(PIECE_BYTES // 4 + 1, np.float32)
    numbers[-1] = np.inf
    (found,) = non_finite(Bytes({"t": (Dtype.F32, numbers.tobytes())}))
    assert (found.first, found.count) == (len(numbers) - 1, 1)


def test_integers_are_finite_whatever_their_bits() -> None:
    assert non_finite(Bytes({"t": (Dtype.I32, b"\xff" * 64)})) == ()


def test_progress_ends_with_all_bytes() -> None:
    events: list[Event] = []
    non_finite(Bytes({"a": (Dtype.F32, bytes(8)), "b": (Dtype.I8, bytes(3))}), events.append)
    assert [(event.done, event.total) for event in events] == [(8, 11), (11, 11)]
