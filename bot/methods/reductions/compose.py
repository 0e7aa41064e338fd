"""Reductions made of reductions: one after another, or one beside what is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bot.checkpoint.tensor_spec import TensorSpec
from bot.methods.core.method_input import Block
from bot.methods.core.reduction import Reduction, Stat


@dataclass(frozen=True)
class Then:
    """Runs ``first`` to its end, then the reduction that ``second`` makes of its statistic."""

    first: Reduction[Any]
    second: Callable[[Stat], Reduction[Any]]

    @property
    def scope(self) -> Literal["tensor", "model"]:
        """That of the first."""
        return self.first.scope

    def empty(self, spec: TensorSpec, models: int, /) -> Any:
        """As the first."""
        return self.first.empty(spec, models)

    def update(self, state: Any, block: Block) -> Any:
        """As the first."""
        return self.first.update(state, block)

    def merge(self, left: Any, right: Any) -> Any:
        """As the first."""
        return self.first.merge(left, right)

    def finish(self, state: Any) -> Reduction[Any]:
        """What is left of the first, or the second."""
        answer = self.first.finish(state)
        if isinstance(answer, Reduction):
            return Then(answer, self.second)
        return self.second(answer)


@dataclass(frozen=True, eq=False)
class WithKnown:
    """Keeps what is known beside the statistic to come, which is then ``(known, answer)``."""

    known: Any
    reduction: Reduction[Any]

    @classmethod
    def of(cls, known: Any, answer: Stat | Reduction[Any]) -> WithKnown | tuple[Any, Stat]:
        """The pair where the answer is there, else what leads to it."""
        return cls(known, answer) if isinstance(answer, Reduction) else (known, answer)

    @property
    def scope(self) -> Literal["tensor", "model"]:
        """That of the reduction."""
        return self.reduction.scope

    def empty(self, spec: TensorSpec, models: int, /) -> Any:
        """As the reduction."""
        return self.reduction.empty(spec, models)

    def update(self, state: Any, block: Block) -> Any:
        """As the reduction."""
        return self.reduction.update(state, block)

    def merge(self, left: Any, right: Any) -> Any:
        """As the reduction."""
        return self.reduction.merge(left, right)

    def finish(self, state: Any) -> WithKnown | tuple[Any, Stat]:
        """The pair, or what is left of the reduction."""
        return WithKnown.of(self.known, self.reduction.finish(state))
