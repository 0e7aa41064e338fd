"""Numbers a method needs about a whole tensor (or model) before it can work on a grain of it."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Block

S = TypeVar("S")
Stat = Any
"""A finished statistic: numbers or small float64 arrays; each reduction documents its own."""


@runtime_checkable
class Reduction(Protocol[S]):
    """A fold over the grains of a tensor, exact and independent of threads and block sizes.

    States are small and float64 or integer. ``update`` sees one block of the method's own unit, a
    whole grain or whole rows, as the method itself will see it later; states of single blocks are
    combined by ``merge`` in the order of blocks (and of tensors, for a model). ``finish`` gives the
    statistic, or another reduction when a further pass over the data is needed. A reduction is
    frozen and hashable: equal reductions over equal inputs are computed once.
    """

    @property
    def scope(self) -> Literal["tensor", "model"]:
        """Whether one statistic serves one tensor or the whole model."""
        ...

    def empty(self, spec: TensorSpec, models: int, /) -> S:
        """The state of no data."""
        ...

    def update(self, state: S, block: Block) -> S:
        """Fold one grain in."""
        ...

    def merge(self, left: S, right: S) -> S:
        """Combine the states of adjacent grains, ``left`` first."""
        ...

    def finish(self, state: S) -> Stat | Reduction[Any]:
        """The statistic, or the reduction for the next pass."""
        ...
