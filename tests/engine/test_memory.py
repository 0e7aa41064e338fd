"""Memory stays flat, however large a model or its largest tensor: real processes, sparse files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bot.checkpoint.header import build_header
from bot.checkpoint.tensor_spec import Dtype, TensorSpec

LIMIT = 1_200_000_000
MERGE = """
import json, sys, threading
from pathlib import Path
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.engine.execute import execute
from bot.methods.core.all_methods import catalogue
from bot.plan.budget import Resources, budget
from tests.engine.plans import plan_for

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
    while not over.wait(0.003):
        peak = max(peak, anonymous())

home, method, threads, memory = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
names = ("a", "b") if method in ("slerp", "nearswap", "arcee_fusion") else ("a", "b", "c")
sources = {name: Unhashed(home / name) for name in names}
parameters = {"weight": 0.5, "density": 0.3, "epsilon": 0.1, "t": 0.5, "task": 1}
base = None if catalogue()[method].signature.base == "none" or method == "linear" else "a"
plan = plan_for(sources, method, parameters, base=base)
specs = {(key, name): spec for key in sources for name, spec in sources[key].tensors().items()}
resources = Resources(threads=threads, memory=memory or None)
planned = budget(plan.jobs, catalogue(), specs, (), (), resources).peak_memory_bytes
start = anonymous()
watcher = threading.Thread(target=watch)
watcher.start()
execute(plan, sources, Discarding(), threads=threads, memory=memory or 1 << 40)
over.set()
watcher.join()
print(json.dumps({"peak": peak, "grown": peak - start, "planned": planned}))
"""


def sparse_model(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A checkpoint of zeros that takes no room on the disk."""
    specs = [TensorSpec(name=n, dtype=Dtype.BF16, shape=shape) for n, shape in shapes.items()]
    folder.mkdir(parents=True)
    with (folder / "model.safetensors").open("wb") as file:
        header = build_header(specs)
        file.write(header)
        file.truncate(len(header) + sum(spec.nbytes for spec in specs))


def merge(folder: Path, method: str, *, threads: int = 2, memory: int = 0) -> dict[str, int]:
    """Anonymous memory of a merge in a process of its own: its peak, its growth, the plan's figure.

    Linear algebra has one thread of its own, so that all threads are the engine's.
    """
    command = [sys.executable, "-c", MERGE, str(folder), method, str(threads), str(memory)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def peak_of(tmp_path: Path, method: str, shapes: Mapping[str, tuple[int, ...]]) -> int:
    for name in ("a", "b", "c"):
        if not (tmp_path / name).exists():
            sparse_model(tmp_path / name, shapes)
    return merge(tmp_path, method)["peak"]


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


THREADS = (1, 2, 8, 32)
IN_PARTS = (
    "arcee_fusion", "breadcrumbs_ties", "consensus_ta", "dare_ties", "della", "karcher", "linear",
    "model_stock", "multislerp", "nearswap", "nuslerp", "ram", "ramplus_tl", "sce", "slerp",
    "tall_masks", "task_arithmetic", "ties",
)  # fmt: skip
SPECTRAL = ("iso_c", "knots", "tsv_m", "wudi")
MATRICES = {f"model.layers.{number}.self_attn.q_proj.weight": (512, 512) for number in range(12)}


def random_models(home: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """A base and two fine-tunes near it, in bfloat16."""
    base = np.random.default_rng(0).standard_normal(1 << 20, np.float32) * np.float32(0.02)
    specs = [TensorSpec(name=n, dtype=Dtype.BF16, shape=shape) for n, shape in shapes.items()]
    for seed, name in enumerate("abc"):
        step = np.random.default_rng(seed + 1).standard_normal(1 << 20, np.float32)
        words = ((base + step * np.float32(0.002 * seed)).view("<u4") >> 16).astype("<u2")
        (home / name).mkdir()
        with (home / name / "model.safetensors").open("wb") as file:
            file.write(build_header(specs))
            for spec in specs:
                for start in range(0, spec.elements, words.size):
                    file.write(words[: spec.elements - start].tobytes())
    return home


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several times as many grains as the most threads that are tried."""
    return random_models(tmp_path_factory.mktemp("large"), {"x": (8192, 6144), "y": (8192, 2048)})


@pytest.fixture(scope="module")
def matrices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table and matrices that spectral methods compute whole."""
    shapes = {"model.embed_tokens.weight": (4000, 512), **MATRICES}
    return random_models(tmp_path_factory.mktemp("matrices"), shapes)


def test_eight_threads_stay_under_the_plans_figure(tmp_path: Path) -> None:
    found = merge(random_models(tmp_path, {"x": (4096, 4096)}), "ties", threads=8)
    assert found["grown"] < found["planned"]


def test_whole_matrices_side_by_side_stay_under_the_plans_figure(matrices: Path) -> None:
    found = merge(matrices, "tsv_m", threads=8)
    assert found["grown"] < found["planned"]


def test_a_limit_on_memory_is_kept(matrices: Path) -> None:
    """Far fewer matrices side by side than threads would compute."""
    free, limit = merge(matrices, "wudi", threads=8), 330_000_000
    found = merge(matrices, "wudi", threads=8, memory=limit)
    assert found["grown"] < found["planned"] <= limit < free["planned"]


@pytest.mark.slow
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("method", IN_PARTS)
def test_methods_that_work_in_parts_stay_under_the_plans_figure(
    large: Path, method: str, threads: int
) -> None:
    found = merge(large, method, threads=threads)
    assert found["grown"] < found["planned"]


@pytest.mark.slow
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("method", SPECTRAL)
def test_spectral_methods_stay_under_the_plans_figure(
    matrices: Path, method: str, threads: int
) -> None:
    found = merge(matrices, method, threads=threads)
    assert found["grown"] < found["planned"]
