"""Memory on the device and before it stays within stated bounds."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bot.checkpoint.memory_checkpoint import MemorySink
from bot.checkpoint.tensor_spec import Dtype
from bot.engine.buffers import PAGE
from bot.engine.execute import execute
from bot.engine.gpu.torch_device import LANES, TorchDevice
from bot.methods.core.all_methods import catalogue
from bot.methods.core.method_input import GRAIN, Unit
from bot.plan.budget import WAITING_FOR_THE_DISK
from tests.engine.gpu.cases import DEVICE, PLAIN, Watched, family, random_merge
from tests.engine.plans import plan_for


class Gauge(TorchDispatchMode):
    """The most bytes that tensors made meanwhile held at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's gap
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        known = {part.untyped_storage().data_ptr() for part in args if torch.is_tensor(part)}
        for tensor in made if isinstance(made, tuple) else (made,):
            if torch.is_tensor(tensor) and tensor.untyped_storage().data_ptr() not in known:
                self.now += tensor.untyped_storage().nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(tensor, self._free, tensor.untyped_storage().nbytes())
        return made

    def _free(self, nbytes: int) -> None:
        self.now -= nbytes


class Gauged(Watched):
    """Measures every chunk's stay on the device."""

    def __init__(self) -> None:
        super().__init__()
        self.arrays: list[float] = []
        self.left: list[int] = []

    def merge(self, loaded: Any, call: Any, merged: memoryview) -> bool:
        with Gauge() as gauge:
            settled = super().merge(loaded, call, merged)
        copied = sum(part.nbytes for part in loaded.stored) if DEVICE.type == "cuda" else 0
        self.arrays.append((gauge.peak - merged.nbytes - copied) / (4 * GRAIN))
        self.left.append(gauge.now)
        return settled


@pytest.mark.parametrize(
    "name", sorted(name for name, found in catalogue().items() if found.unit is not Unit.TENSOR)
)
def test_a_lane_holds_its_chunk_and_few_arrays_of_a_grain(name: str) -> None:
    """What a lane's documentation states, and nothing is left behind."""
    method, rng = catalogue()[name], np.random.default_rng(2)
    models = min(method.signature.maximum_models or 3, 3)
    plan, parents = random_merge(rng, method, {"x": (1025, 1024)}, Dtype.BF16, models)
    device = Gauged()
    execute(plan, parents, MemorySink(), device=device, threads=1, fuse_from=PLAIN)
    assert set(device.left) == {0}
    assert max(device.arrays) <= 4 * len(plan.jobs[0].inputs) + 8


class Crowded(Watched):
    """Counts the threads that are on the device at once."""

    def __init__(self, inner: TorchDevice) -> None:
        super().__init__(inner)
        self.inside = self.most = 0

    def merge(self, loaded: Any, call: Any, merged: memoryview) -> bool:
        def counted(block: Any) -> Any:
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            try:
                return call(block)
            finally:
                with self.lock:
                    self.inside -= 1

        return super().merge(loaded, counted, merged)


def test_chunks_in_flight_and_their_buffers_are_bounded() -> None:
    sources = family(np.random.default_rng(1), {"x": (5, GRAIN - 7)}, Dtype.F32, 2)
    plan = plan_for(sources, "linear", {"weight": (0.2, 0.3, 0.5)})
    for lanes in (1, LANES):
        device, threads = Crowded(TorchDevice(DEVICE, lanes)), 6
        execute(plan, sources, MemorySink(), device=device, threads=threads, chunk_grains=1)
        assert device.most <= lanes
        workers, chunk = threads + WAITING_FOR_THE_DISK, 4 * GRAIN
        assert sum(device.buffers) <= workers * (len(sources) + 1) * chunk * 2  # grown at most once
        assert max(device.buffers) <= len(sources) * chunk


def test_buffers_begin_on_a_page() -> None:
    for nbytes in (1, 4096, 100_001):
        buffer = TorchDevice(DEVICE).buffer(nbytes)
        assert np.frombuffer(buffer, np.uint8).ctypes.data % PAGE == 0
        assert buffer.nbytes == nbytes
        assert not buffer.readonly
