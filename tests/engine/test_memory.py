"""Memory stays flat, however large a model or its largest tensor: real processes, sparse files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.checkpoint.header import build_header
from bot.checkpoint.tensor_spec import Dtype, TensorSpec

LIMIT = 1_200_000_000
MERGE = """
import sys, threading, time
from pathlib import Path
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.engine.execute import execute
from tests.engine.plans import plan_for
from bot.checkpoint.tensor_spec import TensorSpec

class Discarding(MemorySink):
    def begin(self, layout, plan):
        self._specs = {spec.name: spec for spec in layout}
        return {}
    def write(self, name, offset, data):
        pass

class Unhashed(FolderSource):
    id = "unhashed"

def anonymous():
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("RssAnon"))

peak, over = 0, threading.Event()
def watch():
    global peak
    while not over.wait(0.005):
        peak = max(peak, anonymous())

home, method = Path(sys.argv[1]), sys.argv[2]
sources = {name: Unhashed(home / name) for name in ("a", "b", "c")}
parameters = {"weight": 0.5, "density": 0.3, "t": 0.5}
base = None if method == "linear" else "a"
watcher = threading.Thread(target=watch)
watcher.start()
execute(plan_for(sources, method, parameters, base=base), sources, Discarding(), threads=2)
over.set()
watcher.join()
print(peak)
"""


def sparse_model(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A checkpoint of zeros that takes no room on the disk."""
    specs = [TensorSpec(name=n, dtype=Dtype.BF16, shape=shape) for n, shape in shapes.items()]
    folder.mkdir(parents=True)
    with (folder / "model.safetensors").open("wb") as file:
        header = build_header(specs)
        file.write(header)
        file.truncate(len(header) + sum(spec.nbytes for spec in specs))


def peak_of(tmp_path: Path, method: str, shapes: Mapping[str, tuple[int, ...]]) -> int:
    for name in ("a", "b", "c"):
        if not (tmp_path / name).exists():
            sparse_model(tmp_path / name, shapes)
    command = [sys.executable, "-c", MERGE, str(tmp_path), method]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_model_of_half_a_gigabyte_needs_far_less(tmp_path: Path) -> None:
    assert peak_of(tmp_path, "linear", {"x": (1 << 14, 1 << 14)}) < 400_000_000


@pytest.mark.slow
@pytest.mark.parametrize("method", ["linear", "ties", "dare_ties", "della", "model_stock"])
def test_one_tensor_of_two_gigabytes(tmp_path: Path, method: str) -> None:
    assert peak_of(tmp_path, method, {"x": (1 << 15, 1 << 15)}) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("method", ["linear", "ties"])
def test_parents_of_six_gigabytes(tmp_path: Path, method: str) -> None:
    shapes = {f"layers.{number}": (1 << 13, 1 << 13) for number in range(46)}
    assert peak_of(tmp_path, method, shapes) < LIMIT
