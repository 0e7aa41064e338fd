"""What methods must know before they can work on a grain, folded in the order of the grains.

Every grain has a state of its own, whatever chunk it was read in and whatever thread folded it in;
the states are merged one after the other from the first grain to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from bot.checkpoint.tensor_spec import TensorSpec
from bot.engine.kernel_choice import Kernels
from bot.engine.tensor_inputs import GrainView, LoadedChunk
from bot.methods.core.reduction import Reduction, Stat
from bot.methods.reductions.compose import Then

States = dict[int, Any]
"""A grain's states, by the places of their questions."""
Later = tuple[Callable[[Stat], Reduction[Any]], ...]
"""What asks on once a reduction is answered, first to last."""


@dataclass
class PendingReduction:
    """A reduction that is running, its state so far, and who waits for it."""

    reduction: Reduction[Any]
    state: Any
    askers: list[tuple[Hashable, Later]]


@dataclass
class Folding:
    """Reductions over the same grains, pass after pass until all are answered.

    Equal reductions run once, those that begin another one (``Then``) included.

    Args:
        asked: key -> reduction; None is an answer as it stands.
        spec: the tensor, or the first of those that form the model.
        models: how many models take part.
    """

    asked: Mapping[Any, Reduction[Any] | None]
    spec: TensorSpec
    models: int
    answers: dict[Any, Stat] = field(default_factory=dict, init=False)
    _running: list[PendingReduction] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for key, reduction in self.asked.items():
            self._sort_in(key, reduction, ())

    @property
    def open(self) -> bool:
        """Whether another pass over the grains is needed."""
        return bool(self._running)

    def scan(
        self,
        parts: Iterable[LoadedChunk],
        processors: AbstractContextManager[object],
        *,
        kernels: Kernels | None,
    ) -> list[States]:
        """The states of a chunk's grains, one by one; changes nothing, so any thread may do it.

        Where order is all one, as when counting, the first grain's state holds the whole chunk.
        """
        folds = [_fold_of(question.reduction, kernels=kernels) for question in self._running]
        grains: list[States] = []
        for loaded in parts:
            with processors:
                for view in loaded.views():
                    grains.append({})
                    for place, (fold, any_order) in enumerate(folds):
                        into = grains[0] if any_order else grains[-1]
                        state = into[place] if place in into else self._none(place, loaded)
                        into[place] = fold(state, view)
        return grains

    def _none(self, place: int, loaded: LoadedChunk) -> Any:
        return self._running[place].reduction.empty(loaded.inputs.job.output, self.models)

    def fold(self, grains: list[States]) -> None:
        """Merge the states of the next grains."""
        for states in grains:
            for place, state in states.items():
                question = self._running[place]
                question.state = question.reduction.merge(question.state, state)

    def end_pass(self) -> None:
        """Every grain was folded: take the answers, or the questions of the next pass."""
        finished, self._running = self._running, []
        for question in finished:
            answer = question.reduction.finish(question.state)
            for key, later in question.askers:
                self._sort_in(key, answer, later)

    def _sort_in(self, key: Hashable, answer: Stat | Reduction[Any] | None, later: Later) -> None:
        if isinstance(answer, Then):
            self._sort_in(key, answer.first, (answer.second, *later))
        elif isinstance(answer, Reduction):
            self._question(answer).askers.append((key, later))
        elif later:
            self._sort_in(key, later[0](answer), later[1:])
        else:
            self.answers[key] = answer

    def _question(self, reduction: Reduction[Any]) -> PendingReduction:
        for running in self._running:
            if running.reduction == reduction:
                return running
        question = PendingReduction(reduction, reduction.empty(self.spec, self.models), [])
        self._running.append(question)
        return question


def _fold_of(
    reduction: Reduction[Any], *, kernels: Kernels | None
) -> tuple[Callable[[Any, GrainView], Any], bool]:
    """How a grain is folded into a state, and whether the order of grains is all one."""
    kernel = kernels.for_reduction(reduction) if kernels else None
    if kernel is not None:
        fold = kernel.fold
        return lambda state, view: fold(state, view.stored), kernel.any_order
    return lambda state, view: reduction.update(state, view.block), False
