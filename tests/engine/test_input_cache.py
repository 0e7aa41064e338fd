"""What costs to be read is read once where there is room, and twice elsewhere, as files are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bot.checkpoint.memory_checkpoint import MemorySink, MemorySource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.execute import MergeOutput, execute, execute_all
from bot.engine.input_cache import InputCache
from bot.errors import NonFiniteError
from bot.plan.budget import KEPT_BYTES
from tests.engine.plans import plan_for


class Counted(MemorySource):
    """Counts the bytes that are read of each tensor, as one whose bytes are fetched."""

    def __init__(self, tensors: dict[TensorSpec, memoryview]) -> None:
        super().__init__(tensors)
        self.kept = True
        self.read: Counter[str] = Counter()

    def costly(self, name: str) -> bool:
        return self.kept

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        self.read[name] += out.nbytes
        super().read_into(name, offset, out)


def model(elements: int, seed: int) -> Counted:
    spec = TensorSpec(name="w", dtype=Dtype.F32, shape=(elements // 1024, 1024))
    values = np.random.default_rng(seed).standard_normal(elements, np.float32)
    return Counted({spec: memoryview(values.tobytes())})


@pytest.mark.parametrize("method", ["ties", "model_stock", "task_arithmetic"])
def test_every_byte_is_read_once(method: str) -> None:
    sources = {name: model(5 << 20, seed) for seed, name in enumerate(("base", "one", "two"))}
    parameters = {} if method == "model_stock" else {"weight": 0.5}
    if method == "ties":
        parameters["density"] = 0.5
    plan = plan_for(sources, method, parameters, base="base", dtype=Dtype.BF16)
    for source in sources.values():
        source.read.clear()  # planning hashed them
    execute(plan, sources, MemorySink(), fuse_from=0)
    for source in sources.values():
        assert source.read == {"w": 5 << 22}


@pytest.mark.parametrize(
    ("method", "varied", "given"),
    [("ties", "lambda", {"weight": 0.5, "density": 0.5}), ("ramplus", "r", {"alpha": 9.0})],
)
def test_variants_share_the_passes_that_count_over_the_model(
    method: str, varied: str, given: dict[str, float]
) -> None:
    sources = {name: model(1 << 20, seed) for seed, name in enumerate(("base", "one", "two"))}
    for source in sources.values():
        source.kept = False

    def output(strength: float) -> MergeOutput:
        parameters = {**given, "scope": "model", varied: strength}
        plan = plan_for(sources, method, parameters, base="base", digest=str(strength))
        return MergeOutput(plan=plan, sources=sources, sink=MemorySink())

    def times_read(*outputs: MergeOutput) -> tuple[float, tuple[str | NonFiniteError, ...]]:
        sources["one"].read.clear()
        digests = execute_all(outputs)
        return sources["one"].read["w"] / (1 << 22), digests

    (passes, one), (_, two) = times_read(output(1)), times_read(output(2))
    assert passes > 1
    assert one != two
    assert times_read(output(1), output(2)) == (passes + 1, one + two)


def test_a_shelf_keeps_to_its_limit_and_uses_memory_again() -> None:
    input_cache = InputCache(1000)
    first, second = input_cache.take(600), input_cache.take(400)
    assert first is not None
    assert second is not None
    assert input_cache.take(1) is None
    input_cache.give_back(second)
    assert input_cache.take(300) is second
    input_cache.give_back(first)
    input_cache.give_back(second)
    assert input_cache.take(1001) is None
    assert input_cache.take(600) is first  # what could never be had cost nothing
    input_cache.give_back(first)
    whole = input_cache.take(1000)
    assert whole is not None
    assert whole.nbytes == 1000


def test_a_tensor_that_is_too_large_is_read_again() -> None:
    assert InputCache(KEPT_BYTES).take(KEPT_BYTES + 1) is None
