"""Elementwise methods give the same bytes whatever the CPU can do, and on torch tensors too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.all_methods import catalogue
from bot.methods.core.apply import Inputs, reduce
from bot.methods.core.method_input import GRAIN, Span, Unit
from tests.methods.cases import family
from tests.methods.test_properties import models_for, parameters

EXACT = [name for name, method in catalogue().items() if method.exact == "any host"]
FLAT = sorted(name for name in EXACT if catalogue()[name].unit is Unit.GRAIN)

DIGESTS = """
import hashlib
from bot.methods.core.all_methods import catalogue
from tests.methods.test_properties import merged
for name in sorted(name for name, method in catalogue().items() if method.exact == "any host"):
    print(name, hashlib.sha256(merged(name, (300, 41), density=0.4).tobytes()).hexdigest())
"""


def digests(**environment: str) -> str:
    child = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return child.stdout


def test_with_and_without_the_wide_instructions_of_the_cpu() -> None:
    umath = import_module("numpy._core._multiarray_umath")
    features, dispatched = umath.__cpu_features__, umath.__cpu_dispatch__
    off = " ".join(name for name in dispatched if features.get(name))
    plain = digests(NPY_DISABLE_CPU_FEATURES=off)
    assert plain == digests()
    assert len(plain.splitlines()) == len(EXACT)


class TorchDraws:
    """The engine's draws as tensors."""

    def __init__(self) -> None:
        self.draws = PhiloxDraws(seed=1, tensor="w")

    def keep(self, model: int, probability: float, span: Span) -> torch.Tensor:
        return torch.from_numpy(self.draws.keep(model, probability, span))

    def realised(self, probability: float) -> float:
        return self.draws.realised(probability)

    def rank_sampling(
        self, model: int, between: tuple[int, int], span: Span, width: int
    ) -> Iterator[torch.Tensor]:
        return map(torch.from_numpy, self.draws.rank_sampling(model, between, span, width))


@pytest.mark.parametrize("rescale", ["l1", "expectation"])
@pytest.mark.parametrize("name", FLAT)
def test_the_same_function_runs_on_torch_tensors(name: str, rescale: str) -> None:
    method, count = catalogue()[name], models_for(name)
    drawn, models = family(3, (50, 31), count, coarse=True)
    base = None if method.signature.base == "none" else drawn
    param = method.signature.parameter("rescale")
    given = parameters(name, count, density=0.4, gamma=0.02)
    if param and rescale in param.choices:
        given |= {"rescale": rescale}
    inputs = Inputs(base=base, models=models, tensor="w", draws=PhiloxDraws(seed=1, tensor="w"))
    arguments = method.arguments(given, count)
    answer = partial(reduce, tensors=[inputs], unit=method.unit, grain=GRAIN)
    stats = {
        key: None if asked is None else answer(asked)
        for key, asked in method.reductions(arguments).items()
    }
    (block,) = inputs.blocks(method.unit)
    changes: dict[str, Any] = {
        "base": None if block.base is None else torch.from_numpy(block.base.copy()),
        "models": tuple(torch.from_numpy(model.copy()) for model in block.models),
        "draws": TorchDraws(),
        "xp": torch,
    }
    tensors = replace(block, **changes)
    plain = method.function(block, **vars(arguments), **stats)
    tensor: Any = method.function(tensors, **vars(arguments), **stats)
    assert tensor.dtype == torch.float32
    assert np.array_equal(tensor.numpy(), plain)
