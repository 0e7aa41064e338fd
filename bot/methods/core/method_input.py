"""What a merge method is given: equally shaped pieces of one tensor from every model."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import ModuleType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from bot.cached_attribute import cached_attribute

GRAIN = 1 << 20
"""Elements in a grain: the unit in which partial sums are formed and then combined in order."""

Array: TypeAlias = npt.NDArray[Any]
"""A float32 array: NumPy's, or one on a GPU that answers to NumPy's operators and functions."""


class Unit(StrEnum):
    """What a method must see at once."""

    GRAIN = "grain"  # any 2**20 consecutive elements, flat
    ROW = "row"  # whole rows of the matrix (last axis), as many as fit a grain, at least one
    TENSOR = "tensor"  # the whole tensor in its own shape


class Span(NamedTuple):
    """Which elements of its tensor a block holds: ``start`` to ``stop``, flat, row-major."""

    start: int
    stop: int
    elements: int


Bounds = tuple[float, float]
"""The least and the greatest of some probabilities."""


class RankSampling(NamedTuple):
    """A random decision by magnitude rank for the elements of some rows; arrays are flat.

    Attributes:
        kept: bool, the elements that are kept whatever their magnitude.
        rival: int64, the index of the element that each is compared with; its own index where it
            is dropped.
        left: bool, whether the rival is left of the element.
    """

    kept: Array
    rival: Array
    left: Array


class Draws(Protocol):
    """Counter-based random numbers: a function of seed, tensor, model and element, nothing else."""

    def keep(self, model: int, probability: float, span: Span) -> Array:
        """A 0/1 mask for the span, flat."""
        ...

    def realised(self, probability: float) -> float:
        """The probability with which ``keep`` keeps an element when asked for this one."""
        ...

    def rank_sampling(self, model: int, between: Bounds, span: Span, width: int) -> RankSampling:
        """For whole rows: the elements kept for sure, and a rival for each of the others.

        An element is kept for sure with the lower probability of ``between``. Another is kept where
        its rival comes before it, by magnitude and then by place, so that an element's probability
        of being kept rises with its rank to the higher one of ``between``.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Block:
    """One unit of work.

    ``models`` are float32 arrays of one shape (flat for ``Unit.GRAIN``, 2-D rows for ``Unit.ROW``,
    the tensor's own shape for ``Unit.TENSOR``) in recipe order, the base left out; ``base`` is the
    base model's array of the same shape, or None when the recipe names no base. ``shape`` is the
    shape of the whole tensor and ``tensor`` its name. For ``Unit.ROW`` a 1-d tensor is one row and
    a 0-d tensor one row of one element; leading axes of larger tensors are flattened.
    """

    base: Array | None
    models: tuple[Array, ...]
    span: Span
    shape: tuple[int, ...]
    tensor: str = ""
    draws: Draws | None = None
    xp: ModuleType = field(default=np)

    @cached_attribute
    def deltas(self) -> tuple[Array, ...]:
        """Task vectors, model minus base, in float32.

        Raises:
            ValueError: there is no base.
        """
        base = self.required_base
        return tuple(model - base for model in self.models)

    @property
    def vectors(self) -> tuple[Array, ...]:
        """The task vectors where there is a base, else the models' weights."""
        return self.models if self.base is None else self.deltas

    @property
    def required_base(self) -> Array:
        """The base's array.

        Raises:
            ValueError: there is no base; a method that needs one declares ``base="required"``.
        """
        if self.base is None:
            raise ValueError("task vectors need a base model")
        return self.base
