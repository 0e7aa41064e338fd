"""What methods must know before they can work on a grain, folded in the order of the grains.

Every grain has a state of its own, whatever chunk it was read in and whatever thread folded it in;
the states are merged one after the other from the first grain to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from bot.checkpoint.tensor import TensorSpec
from bot.engine.inputs import GrainView, Loaded
from bot.methods.reduction import Reduction, Stat

States = dict[Hashable, Any]


@dataclass
class Folding:
    """Reductions over the same grains, pass after pass until all are answered.

    Args:
        asked: key -> reduction; None is an answer as it stands.
        spec: the tensor, or the first of those that form the model.
        models: how many models take part.
    """

    asked: Mapping[Any, Reduction[Any] | None]
    spec: TensorSpec
    models: int
    answers: dict[Any, Stat] = field(default_factory=dict, init=False)
    _active: dict[Any, Reduction[Any]] = field(default_factory=dict, init=False)
    _states: States = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for key, reduction in self.asked.items():
            self._sort_in(key, reduction)

    @property
    def open(self) -> bool:
        """Whether another pass over the grains is needed."""
        return bool(self._active)

    def scan(
        self, parts: Iterable[Loaded], processors: AbstractContextManager[object], *, fused: bool
    ) -> list[States]:
        """The states of a chunk's grains, one by one; changes nothing, so any thread may do it.

        Where order is all one, as when counting, the first grain's state holds the whole chunk.
        """
        folds = {key: _fold_of(reduction, fused=fused) for key, reduction in self._active.items()}
        grains: list[States] = []
        for loaded in parts:
            with processors:
                for view in loaded.views():
                    grains.append({})
                    for key, (fold, any_order) in folds.items():
                        into = grains[0] if any_order else grains[-1]
                        state = into[key] if key in into else self._none(key, loaded)
                        into[key] = fold(state, view)
        return grains

    def _none(self, key: Hashable, loaded: Loaded) -> Any:
        return self._active[key].empty(loaded.inputs.job.output, self.models)

    def fold(self, grains: list[States]) -> None:
        """Merge the states of the next grains."""
        for states in grains:
            for key, state in states.items():
                self._states[key] = self._active[key].merge(self._states[key], state)

    def end_pass(self) -> None:
        """Every grain was folded: take the answers, or the questions of the next pass."""
        finished, self._active, states = self._active, {}, self._states
        self._states = {}
        for key, reduction in finished.items():
            self._sort_in(key, reduction.finish(states[key]))

    def _sort_in(self, key: Hashable, answer: Stat | Reduction[Any] | None) -> None:
        if isinstance(answer, Reduction):
            self._active[key] = answer
            self._states[key] = answer.empty(self.spec, self.models)
        else:
            self.answers[key] = answer


def _fold_of(
    reduction: Reduction[Any], *, fused: bool
) -> tuple[Callable[[Any, GrainView], Any], bool]:
    """How a grain is folded into a state, and whether the order of grains is all one."""
    if fused:
        from bot.engine.kernels.fold import folder

        kernel = folder(reduction)
        if kernel is not None:
            fold = kernel.fold
            return lambda state, view: fold(state, view.stored), kernel.any_order
    return lambda state, view: reduction.update(state, view.block), False
