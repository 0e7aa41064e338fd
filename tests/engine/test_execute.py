"""What a merge gives, whatever the threads, the chunks, the sink and the dtypes."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.memory_checkpoint import MemorySink, MemorySource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.execute import MergeOutput, execute, execute_all
from bot.errors import (
    CheckpointError,
    EnvironmentMissingError,
    InterruptedRunError,
    NonFiniteError,
    StorageError,
    UsageError,
)
from bot.events import Event
from bot.methods.core.method_input import GRAIN
from bot.plan.budget import WAITING_FOR_THE_DISK
from tests.checkpoint.models import random_tensors, write_model
from tests.engine.plans import plan_for

BIG = (1500, 1499)  # more than two grains, and no multiple of anything
SHAPES = {"big": BIG, "small": (33, 5), "vector": (19,), "number": (), "none": (0, 4)}
METHODS: list[tuple[str, dict[str, Any], str | None]] = [
    ("linear", {"weight": (0.2, 0.3, 0.5)}, None),
    ("ties", {"weight": (0.6, 0.5), "density": (0.3, 0.4), "scope": "model"}, "base"),
    ("dare_ties", {"weight": (0.6, 0.5), "density": (0.3, 0.4)}, "base"),
    ("della", {"weight": (0.6, 0.5), "density": (0.3, 0.4), "rescale": "none"}, "base"),
    ("model_stock", {}, "base"),
    ("sce", {"select_topk": 0.4}, "base"),
    ("ramplus", {}, "base"),
    ("consensus_ta", {}, "base"),
    ("multislerp", {"weight": (0.6, 0.5)}, "base"),
    ("karcher", {}, None),
]
TWO: list[tuple[str, dict[str, Any], str | None]] = [
    ("arcee_fusion", {}, "base"),
    ("nearswap", {"t": 0.05}, "base"),
]


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


@pytest.mark.parametrize(("method", "parameters", "base"), METHODS + TWO)
def test_threads_chunks_and_kernels_do_not_matter(
    sources: dict[str, FolderSource], method: str, parameters: dict[str, Any], base: str | None
) -> None:
    if method in {name for name, _, _ in TWO}:
        sources = {name: sources[name] for name in ("base", "one")}
    plan = plan_for(sources, method, parameters, base=base, seed=3)
    digests = {
        execute(
            plan, sources, MemorySink(), threads=threads, chunk_grains=grains, fuse_from=fuse_from
        )
        for threads, grains, fuse_from in ((1, 1, 0), (2, 4, 1 << 60), (5, 2, 0))
    }
    assert len(digests) == 1


def test_linear_is_the_weighted_mean(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    plan = plan_for(sources, "linear", {"weight": (1.0, 2.0, 5.0)})
    digest = execute(plan, sources, FolderSink(tmp_path / "out"), threads=2)
    assert FolderSource(tmp_path / "out").id == digest
    ours = load_file(tmp_path / "out" / "model.safetensors")
    parents = [load_file(source.path / "model.safetensors") for source in sources.values()]
    for name in SHAPES:
        wide = [parent[name].astype(np.float64) for parent in parents]
        expected = (wide[0] + 2 * wide[1] + 5 * wide[2]) / 8
        np.testing.assert_allclose(ours[name], expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(ours["positions"], np.arange(6))


def test_a_copy_is_byte_for_byte(sources: dict[str, FolderSource], tmp_path: Path) -> None:
    only = {"one": sources["one"]}
    execute(plan_for(only, None), only, FolderSink(tmp_path / "out"))
    assert FolderSource(tmp_path / "out").id == FolderSource(sources["one"].path).id


def test_bytes_and_tensors_are_reported(sources: dict[str, FolderSource]) -> None:
    events: list[Event] = []
    plan = plan_for(sources, "linear", {"weight": (1.0, 1.0, 1.0)})
    execute(plan, sources, MemorySink(), report=events.append)
    total = sum(spec.nbytes for spec in plan.layout)
    assert [events[0].kind, events[-1].kind] == ["start", "end"]
    assert {event.stage for event in events} == {"merge"}
    assert {(event.unit, event.total) for event in events} == {("bytes", total)}
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert events[-1].done == total
    assert {event.item for event in events if event.kind == "advance"} >= {"big", "small"}


@pytest.mark.parametrize("method", ["linear", "ties", "sce", "arcee_fusion", None])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("fuse_from", [0, 1 << 60])
def test_a_parents_nan_is_traced_to_the_parent(
    tmp_path: Path, method: str | None, odd: float, fuse_from: int
) -> None:
    sources: dict[str, FolderSource] = {}
    for name in ("good", "bad"):
        tensors = random_tensors(1, {"fine": (50,), "broken": (20, 30)})
        if name == "bad":
            tensors["broken"][7, 7] = odd
        sources[name] = write_model(tmp_path / name, tensors)
    given = {"bad": sources["bad"]} if method is None else sources
    parameters = {"weight": 1.0, "density": 0.5}
    plan = plan_for(given, method, parameters, base=None if method in {"linear", None} else "good")
    file = re.escape(str(tmp_path / "bad" / "model.safetensors"))
    told = rf"bad: tensor 'broken' holds a NaN or an infinity at element 217 of {file}"
    with pytest.raises(NonFiniteError, match=told):
        execute(plan, given, FolderSink(tmp_path / "out"), fuse_from=fuse_from)
    assert not (tmp_path / "out").exists()


def test_a_merge_too_large_for_its_dtype_is_no_parents_fault(tmp_path: Path) -> None:
    source = write_model(tmp_path / "a", {"x": np.full((3, 3), 4e4, np.float32)})
    plan = plan_for({"a": source}, "passthrough", {"scale": (3.0,)}, dtype=Dtype.F16)
    with pytest.raises(NonFiniteError, match=r"'x' by passthrough .* too large for float16"):
        execute(plan, {"a": source}, MemorySink())


def test_a_parent_that_changed_since_planning_is_refused(tmp_path: Path) -> None:
    sources = {
        name: write_model(tmp_path / name, random_tensors(1, {"x": (4, 4)})) for name in "ab"
    }
    plan = plan_for(sources, "linear", {"weight": 1.0})
    changed = {"a": sources["a"], "b": write_model(tmp_path / "c", random_tensors(1, {"x": (5,)}))}
    with pytest.raises(CheckpointError, match=r"b: tensor 'x' has shape \[5\]") as caught:
        execute(plan, changed, MemorySink())
    assert caught.value.__notes__ == ["while working on tensor 'x'"]


class Interrupting(MemorySource):
    """Stops the program like Ctrl-C while it is read."""

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_says_how_to_continue(tmp_path: Path) -> None:
    spec = TensorSpec(name="x", dtype=Dtype.F32, shape=(4,))
    sources = {"a": Interrupting({spec: bytes(16)})}
    plan = plan_for({"a": MemorySource({spec: bytes(16)})}, None)
    with pytest.raises(InterruptedRunError, match="finished tensors are kept") as caught:
        execute(plan, sources, FolderSink(tmp_path / "out"))
    assert "again" in (caught.value.hint or "")
    assert not (tmp_path / "out").exists()


def test_only_devices_that_are_there(sources: dict[str, FolderSource]) -> None:
    plan = plan_for(sources, "linear", {"weight": 1.0})
    with pytest.raises(UsageError, match="'tpu'"):
        execute(plan, sources, MemorySink(), device="tpu")
    with pytest.raises(EnvironmentMissingError, match="cuda"):
        execute(plan, sources, MemorySink(), device="cuda:99")


class Counting(MemorySource):
    """Knows how many bytes are being asked for at once."""

    def __init__(self, tensors: Mapping[TensorSpec, bytes]) -> None:
        super().__init__(tensors)
        self.lock = threading.Lock()
        self.now = self.most = 0

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        with self.lock:
            self.now += out.nbytes
            self.most = max(self.most, self.now)
        time.sleep(0.001)
        super().read_into(name, offset, out)
        with self.lock:
            self.now -= out.nbytes


def test_hashing_blocks_in_pairs_does_not_matter() -> None:
    spec = TensorSpec(name="x", dtype=Dtype.BF16, shape=(3000, 4096))
    words = np.random.default_rng(0).integers(0, 0x4000, spec.elements, np.uint16)
    sources = {"a": MemorySource({spec: words.tobytes()})}
    plan = plan_for(sources, "linear", {"weight": (1.0,)})
    digests = {
        execute(plan, sources, MemorySink(), threads=2, pair_from=pair_from)
        for pair_from in (0, 1 << 60)
    }
    assert len(digests) == 1


def test_a_large_tensor_is_read_in_pieces() -> None:
    spec = TensorSpec(name="x", dtype=Dtype.BF16, shape=(1 << 12, 1 << 12))
    source = Counting({spec: bytes(spec.nbytes)})
    sources: dict[str, Counting] = {"a": source}
    plan = plan_for(sources, "linear", {"weight": (1.0,)})
    execute(plan, sources, MemorySink(), threads=2, chunk_grains=2)
    workers, chunk = 2 + WAITING_FOR_THE_DISK, 2 * 2 * GRAIN
    assert source.most <= workers * chunk < spec.nbytes


def test_a_live_models_parameters_are_filled_in_place(sources: dict[str, FolderSource]) -> None:
    live = np.zeros(SHAPES["small"], np.float32)
    sink = MemorySink({"small": live.reshape(-1).view(np.uint8).data})
    plan = plan_for(sources, "linear", {"weight": (1.0, 0.0, 0.0)})
    execute(plan, sources, sink)
    np.testing.assert_array_equal(live, random_tensors(0, SHAPES)["small"])


def test_an_output_that_is_not_finite_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    tensors = {name: np.full((3, 3), value, np.float32) for name, value in (("x", 4e4), ("y", 1.0))}
    sources = {"a": write_model(tmp_path / "a", tensors)}
    outputs = [
        MergeOutput(
            plan=plan_for(sources, "passthrough", {"scale": (scale,)}, dtype=Dtype.F16),
            sources=sources,
            sink=FolderSink(tmp_path / str(scale)),
        )
        for scale in (3.0, 0.5, 1e9)
    ]
    first, second, third = execute_all(outputs, threads=2)
    assert isinstance(first, NonFiniteError)
    assert isinstance(third, NonFiniteError)
    assert second == execute(outputs[1].plan, sources, MemorySink())
    assert FolderSource(tmp_path / "0.5").id == second
    assert not (tmp_path / "3.0").exists()
    assert not (tmp_path / "1000000000.0").exists()


def test_a_broken_parent_stops_all_outputs(tmp_path: Path) -> None:
    sources = {"a": write_model(tmp_path / "a", {"x": np.full((3, 3), np.nan, np.float32)})}
    plan = plan_for(sources, "passthrough", {"scale": (1.0,)})
    outputs = [MergeOutput(plan=plan, sources=sources, sink=MemorySink()) for _ in range(2)]
    with pytest.raises(NonFiniteError, match="a: tensor 'x' holds a NaN"):
        execute_all(outputs, threads=2)


def test_a_merge_that_needs_more_memory_is_refused_before_it_begins(tmp_path: Path) -> None:
    sources = {"a": write_model(tmp_path / "a", {"x": np.ones((3, 3), np.float32)})}
    plan = plan_for(sources, "passthrough", {"scale": 2.0})
    with pytest.raises(StorageError, match=r"may use 1\.0 MB") as caught:
        execute(plan, sources, FolderSink(tmp_path / "out"), memory=1_000_000)
    assert "--memory" in str(caught.value.hint)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
