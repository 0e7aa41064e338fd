"""Problems and warnings, gathered while a plan is made and reported all together."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.errors import PlanError, Problem

_SHOWN = 5


@dataclass
class Findings:
    """What planning found. Problems of one kind about many tensors become one problem."""

    problems: list[Problem] = field(default_factory=list)
    _warned: dict[str, None] = field(default_factory=dict)
    _tensors: dict[tuple[str, str | None], list[str]] = field(default_factory=dict)
    _filters: dict[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def noted(self) -> int:
        """How many places something stands in the way at."""
        return len(self.problems) + sum(map(len, self._tensors.values()))

    def problem(self, message: str, *, hint: str | None = None) -> None:
        """Something that stands in the way of the merge; said once."""
        found = Problem(message=message, hint=hint)
        if found not in self.problems:
            self.problems.append(found)

    def tensor(self, message: str, name: str, *, hint: str | None = None) -> None:
        """A problem of one tensor; ``message`` has ``{tensors}`` where the names go."""
        names = self._tensors.setdefault((message, hint), [])
        if name not in names:
            names.append(name)

    def warn(self, message: str) -> None:
        """Something a person should know that does not stop the merge; said once."""
        self._warned.setdefault(message)

    def tried(self, parameter: str, pattern: str, *, matched: bool) -> None:
        """A parameter's filter was held against a tensor's name."""
        before = self._filters.get((parameter, pattern), False)
        self._filters[parameter, pattern] = before or matched

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know; filters that were tried in vain are known only in the end."""
        idle = [
            f"filter `{pattern}` of {parameter} matches no tensor that is merged: "
            "its value is used nowhere"
            for (parameter, pattern), matched in self._filters.items()
            if not matched
        ]
        return (*self._warned, *idle)

    def raise_if_any(self, *, file: str | None) -> None:
        """End planning if anything stands in the way.

        Raises:
            PlanError: with every problem found so far, under the recipe's file name.
        """
        grouped = [
            Problem(message=message.replace("{tensors}", _enumerate(names)), hint=hint)
            for (message, hint), names in self._tensors.items()
        ]
        found = [*self.problems, *grouped]
        if found:
            located = [
                Problem(message=problem.message, hint=problem.hint, file=file or None)
                for problem in found
            ]
            raise PlanError(located)


def _enumerate(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
