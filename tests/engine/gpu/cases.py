"""Random plans for every method, and both devices' answers to them.

The device is a GPU where there is one, else torch on the CPU: the same code but for streams and
page-locked memory.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bot.checkpoint.encode import encode
from bot.checkpoint.memory_checkpoint import MemorySink, MemorySource
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.engine.accelerator import Accelerator, Call
from bot.engine.execute import execute
from bot.engine.gpu.torch_device import TorchDevice
from bot.engine.tensor_inputs import LoadedChunk
from bot.methods.core.registry import Method
from bot.plan.merge_plan import Plan
from bot.recipe.method_signature import Parameter
from tests.engine.plans import plan_for

DEVICE = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
PLAIN = 1 << 60
NAMES = ("base", "one", "two", "three", "four")


class Watched:
    """A device that remembers what it was asked for."""

    def __init__(self, inner: TorchDevice | None = None) -> None:
        self.inner = inner or TorchDevice(DEVICE)
        self.settled: list[bool] = []
        self.buffers: list[int] = []
        self.lock = threading.Lock()

    def buffer(self, nbytes: int) -> memoryview:
        self.buffers.append(nbytes)
        return self.inner.buffer(nbytes)

    def merge(self, loaded: LoadedChunk, call: Call, merged: memoryview) -> bool:
        self.settled.append(self.inner.merge(loaded, call, merged))
        return self.settled[-1]


def family(
    rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]], dtype: Dtype, models: int
) -> dict[str, MemorySource]:
    """A base and fine-tunes; a fifth of the deltas is zero, and many are equal."""
    made: list[dict[TensorSpec, memoryview]] = [{} for _ in range(models + 1)]
    for name, shape in shapes.items():
        spec = TensorSpec(name=name, dtype=dtype, shape=shape)
        base = (rng.standard_normal(spec.elements) * 0.02).astype(np.float32)
        for number, model in enumerate(made):
            delta = rng.integers(-4, 5, spec.elements) * 2.0**-11
            delta += rng.standard_normal(spec.elements) * 1e-3 * (rng.random() < 0.7)
            delta[rng.random(spec.elements) < 0.2] = 0
            model[spec] = memoryview(bytearray(spec.nbytes))
            encode((base + delta * (number > 0)).astype(np.float32), dtype, model[spec])
    return {name: MemorySource(model) for name, model in zip(NAMES, made, strict=False)}


def count_of_models(rng: np.random.Generator, method: Method) -> int:
    signature = method.signature
    return int(rng.integers(signature.minimum_models, min(signature.maximum_models or 4, 4) + 1))


def parameters(rng: np.random.Generator, method: Method, models: int) -> dict[str, Any]:
    """Random values that can go together, each of its kind and in its range."""
    while True:
        drawn = {
            param.name: tuple(_value(rng, param, models) for _ in range(models))
            if param.scope == "per_model"
            else _value(rng, param, models)
            for param in method.signature.parameters
        }
        if not method.problems(method.arguments(drawn, models)):
            return drawn


def _value(rng: np.random.Generator, param: Parameter, models: int) -> Any:
    match param.kind:
        case "choice":
            return str(rng.choice(param.choices))
        case "bool":
            return bool(rng.integers(2))
        case "int":
            return int(rng.integers(max(int(param.minimum or 0), 1), models + 1))
    if param.name in {"epsilon", "t", "eps"}:
        return float(rng.choice([0.0, 1e-4, 0.1]))
    if param.minimum == 0:
        return float(rng.choice([0.0, 0.001, 1.0, *rng.uniform(0.02, 0.98, 3)]))
    return float(rng.choice([-0.6, 0.3, 1.0, *rng.uniform(0.1, 1.5, 3)]))


def random_merge(
    rng: np.random.Generator,
    method: Method,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: Dtype,
    models: int | None = None,
) -> tuple[Plan, dict[str, MemorySource]]:
    """A plan for the method with random parameters, and its parents."""
    count = models or count_of_models(rng, method)
    given, parents = parameters(rng, method, count), family(rng, shapes, dtype, count)
    base = None if method.signature.base == "none" else "base"
    if base is None:
        del parents["base"]
    return plan_for(parents, method.name, given, base=base, dtype=dtype, seed=11), parents


def made(
    plan: Plan, sources: Mapping[str, MemorySource], device: str | Accelerator, grains: int = 2
) -> dict[str, bytes]:
    """Output tensor -> its bytes."""
    sink = MemorySink()
    execute(plan, sources, sink, device=device, threads=2, fuse_from=PLAIN, chunk_grains=grains)
    return {name: bytes(data) for name, data in sink.tensors.items()}


def steps(left: bytes, right: bytes, dtype: Dtype) -> npt.NDArray[np.int64]:
    """How many representable values lie between two outputs, element by element."""
    return abs(_places(left, dtype) - _places(right, dtype))


def _places(data: bytes, dtype: Dtype) -> npt.NDArray[np.int64]:
    bits = np.frombuffer(data, f"<i{dtype.itemsize}").astype(np.int64)
    return np.where(bits < 0, -(bits & ((1 << (8 * dtype.itemsize - 1)) - 1)), bits)
