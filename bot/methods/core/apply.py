"""A method applied to one tensor in memory, grain by grain, as the engine would.

The plain way to call a method: the oracle for fused kernels, and the door for merges of tensors
that are already in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.methods.core.method_input import GRAIN, Array, Block, Draws, Span, Unit
from bot.methods.core.reduction import Reduction, Stat
from bot.methods.core.registry import Method


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One tensor of every model, in memory; ``base`` None where the recipe names none."""

    models: Sequence[Array]
    base: Array | None = None
    tensor: str = ""
    draws: Draws | None = None

    @property
    def spec(self) -> TensorSpec:
        """What the output is."""
        return TensorSpec(name=self.tensor, dtype=Dtype.F32, shape=self.models[0].shape)

    def blocks(self, unit: Unit, grain: int = GRAIN) -> Iterator[Block]:
        """The tensor cut into blocks of that unit, first to last."""
        for start, stop, shape in cuts(self.spec.shape, unit, grain):
            yield Block(
                base=None if self.base is None else _piece(self.base, start, stop, shape),
                models=tuple(_piece(model, start, stop, shape) for model in self.models),
                span=Span(start, stop, self.spec.elements),
                shape=self.spec.shape,
                tensor=self.tensor,
                draws=self.draws,
            )


def cuts(
    shape: tuple[int, ...], unit: Unit, grain: int = GRAIN
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Where the blocks of a tensor start and stop, flat, and the shape a block has."""
    elements = math.prod(shape)
    if unit is Unit.TENSOR:
        yield 0, elements, shape
        return
    width = (shape[-1] if shape else 1) if unit is Unit.ROW else 1
    step = max(1, grain // max(width, 1)) * width
    for start in range(0, elements, max(step, 1)):
        stop = min(start + step, elements)
        size = stop - start
        yield start, stop, (size // width, width) if unit is Unit.ROW else (size,)


def _piece(array: Array, start: int, stop: int, shape: tuple[int, ...]) -> Array:
    return array.reshape(-1)[start:stop].reshape(shape)


def reduce(reduction: Reduction[Any], tensors: Sequence[Inputs], unit: Unit, grain: int) -> Stat:
    """Run a reduction over the tensors in order, as many passes as it asks for."""
    answer: Stat | Reduction[Any] = reduction
    while isinstance(answer, Reduction):
        answer = _fold(answer, tensors, unit, grain)
    return answer


def _fold(reduction: Reduction[Any], tensors: Sequence[Inputs], unit: Unit, grain: int) -> Any:
    state = reduction.empty(tensors[0].spec, len(tensors[0].models))
    for inputs in tensors:
        for block in inputs.blocks(unit, grain):
            fresh = reduction.empty(inputs.spec, len(inputs.models))
            state = reduction.merge(state, reduction.update(fresh, block))
    return reduction.finish(state)


def apply(
    method: Method, inputs: Inputs, parameters: Mapping[str, Any], *, grain: int = GRAIN
) -> Array:
    """Merge one tensor.

    Args:
        method: from the catalogue.
        inputs: float32 arrays of one shape.
        parameters: as in a recipe, resolved for this tensor; the method's defaults fill the rest.
        grain: elements per block; other sizes than the engine's are for tests of block borders.

    Returns:
        float32, of the inputs' shape; the inputs are not changed.
    """
    return apply_model(method, [inputs], [parameters], grain=grain)[0]


def apply_model(
    method: Method,
    tensors: Sequence[Inputs],
    parameters: Sequence[Mapping[str, Any]],
    *,
    grain: int = GRAIN,
) -> list[Array]:
    """Merge several tensors that form one model: what ``scope: model`` statistics range over."""
    merged = []
    for inputs, given in zip(tensors, parameters, strict=True):
        arguments = method.arguments(given, len(inputs.models))
        stats = {
            name: None if asked is None else _statistic(asked, inputs, tensors, method.unit, grain)
            for name, asked in method.reductions(arguments).items()
        }
        blocks = [
            np.asarray(method.function(block, **vars(arguments), **stats), np.float32).reshape(-1)
            for block in inputs.blocks(method.unit, grain)
        ]
        flat = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
        merged.append(flat.reshape(inputs.spec.shape))
    return merged


def _statistic(
    asked: Reduction[Any], inputs: Inputs, tensors: Sequence[Inputs], unit: Unit, grain: int
) -> Stat:
    return reduce(asked, tensors if asked.scope == "model" else [inputs], unit, grain)
