"""Whole merges on a device: files, digests, resume, errors, bounded memory, polite refusals."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.checkpoint.tensor_spec import Dtype
from bot.engine.execute import execute
from bot.engine.gpu.torch_device import TorchDevice
from bot.errors import EnvironmentMissingError, NonFiniteError, StorageError, UsageError
from tests.checkpoint.models import random_tensors, write_model
from tests.engine.gpu.cases import DEVICE, PLAIN, Watched
from tests.engine.plans import plan_for

SHAPES = {"big": (1200, 1001), "small": (33, 5), "vector": (19,), "number": (), "none": (0, 4)}
TIES = {"weight": (0.6, 0.5), "density": (0.3, 0.4), "scope": "model"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FolderSource]:
    home = tmp_path_factory.mktemp("parents")
    base = random_tensors(0, SHAPES)
    models = {"base": base}
    for seed, name in enumerate(("one", "two"), start=1):
        noise = random_tensors(seed, SHAPES)
        models[name] = {key: np.asarray(base[key] + 0.1 * noise[key]) for key in SHAPES}
    counts = {"positions": np.arange(6)}
    return {name: write_model(home / name, model | counts) for name, model in models.items()}


@pytest.mark.parametrize("dtype", [Dtype.F32, Dtype.BF16, Dtype.F16, Dtype.F64])
def test_a_model_on_disk_has_the_cpus_digest(
    sources: dict[str, FolderSource], tmp_path: Path, dtype: Dtype
) -> None:
    plan = plan_for(sources, "ties", TIES, base="base", dtype=dtype)
    here = execute(plan, sources, MemorySink(), threads=2)
    for grains, fuse_from in ((1, 0), (4, PLAIN)):
        device, out = Watched(), tmp_path / f"{grains}"
        there = execute(
            plan, sources, FolderSink(out), device=device, threads=2,
            chunk_grains=grains, fuse_from=fuse_from,
        )  # fmt: skip
        assert there == here == FolderSource(out).id
        assert all(device.settled)


class Full(FolderSink):
    """A disk that is full once the first tensor is complete."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.complete = threading.Event()

    def finish(self, name: str, digest: str) -> None:
        super().finish(name, digest)
        self.complete.set()

    def write(self, name: str, offset: int, data: memoryview) -> None:
        if self.complete.is_set():
            raise StorageError("the disk is full")
        super().write(name, offset, data)


def test_what_a_device_began_another_ends(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    plan = plan_for(sources, "ties", TIES, base="base")
    with pytest.raises(StorageError):
        execute(plan, sources, Full(tmp_path / "out"), device=Watched(), threads=1)
    assert not (tmp_path / "out").exists()
    device = Watched()
    digest = execute(plan, sources, FolderSink(tmp_path / "out"), device=device, threads=2)
    assert digest == execute(plan, sources, MemorySink())
    assert FolderSource(tmp_path / "out").id == digest


@pytest.mark.parametrize("odd", [np.nan, -np.inf])
@pytest.mark.parametrize("method", ["linear", "iso_c"])
def test_a_parents_nan_is_traced_to_the_parent(tmp_path: Path, method: str, odd: float) -> None:
    parents = {"good": random_tensors(1, {"broken": (20, 30)})}
    parents["bad"] = {"broken": parents["good"]["broken"].copy()}
    parents["bad"]["broken"][7, 7] = odd
    given = {name: write_model(tmp_path / name, tensors) for name, tensors in parents.items()}
    base = None if method == "linear" else "good"
    plan = plan_for(given, method, {"weight": 1.0}, base=base)
    with pytest.raises(NonFiniteError, match="bad: tensor 'broken' holds a NaN or an infinity"):
        execute(plan, given, FolderSink(tmp_path / "out"), device=Watched())
    assert not (tmp_path / "out").exists()


def test_a_merge_too_large_for_its_dtype_is_no_parents_fault(tmp_path: Path) -> None:
    source = write_model(tmp_path / "a", {"x": np.full((3, 3), 4e4, np.float32)})
    plan = plan_for({"a": source}, "passthrough", {"scale": (3.0,)}, dtype=Dtype.F16)
    with pytest.raises(NonFiniteError, match=r"'x' by passthrough .* too large for float16"):
        execute(plan, {"a": source}, MemorySink(), device=Watched())


def test_too_little_memory_is_explained(sources: dict[str, FolderSource]) -> None:
    class Small(TorchDevice):
        def merge(self, loaded: Any, call: Any, merged: memoryview) -> bool:
            def starved(block: Any) -> Any:
                raise torch.OutOfMemoryError("tried to allocate 2 GiB")

            return super().merge(loaded, starved, merged)

    plan = plan_for(sources, "linear", {"weight": 1.0})
    with pytest.raises(EnvironmentMissingError, match="too little memory for tensor") as caught:
        execute(plan, sources, MemorySink(), device=Small(DEVICE))
    assert "--device cpu" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["gpu", "mps", "cuda:", "cuda:-1", "cuda:x", "CUDA", ""])
def test_names_that_are_no_device(sources: dict[str, FolderSource], name: str) -> None:
    with pytest.raises(UsageError, match="no device is called"):
        execute(plan_for(sources, None), sources, MemorySink(), device=name)


REFUSED = """
import sys
import bot.engine.execute
assert "torch" not in sys.modules
from bot.engine.devices import open_device
from bot.errors import EnvironmentMissingError
if sys.argv[1] == "without torch":
    sys.modules["torch"] = None
for name in ("cuda", "cuda:7"):
    try:
        open_device(name)
    except EnvironmentMissingError as error:
        print(error.exit_code, error.message, "/", error.hint)
"""


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("case", "said"), [("without torch", "needs torch"), ("without a GPU", "sees no CUDA GPU")]
)
def test_a_device_that_is_missing_is_refused_politely(case: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, case],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("14 ")
        assert said in line
        assert "--device cpu" in line
