"""One reduction after another, where the second needs the first one's answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bot.checkpoint.tensor import TensorSpec
from bot.methods.block import Block
from bot.methods.reduction import Reduction, Stat


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
