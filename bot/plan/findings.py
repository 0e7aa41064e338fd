"""Collects problems and warnings during planning, and raises them all together."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.errors import PlanError, Problem

_SHOWN = 5


@dataclass
class Findings:
    """Problems and warnings of a plan. Equal problems of many tensors become one problem."""

    problems: list[Problem] = field(default_factory=list)
    _warned: dict[str, None] = field(default_factory=dict)
    _tensors: dict[tuple[str, str | None], dict[str, None]] = field(default_factory=dict)
    _filters: dict[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def noted(self) -> int:
        """How many problems were added, each tensor counted."""
        return len(self.problems) + sum(map(len, self._tensors.values()))

    def copy(self) -> Findings:
        """An independent copy."""
        return Findings(
            problems=[*self.problems],
            _warned={**self._warned},
            _tensors={key: {**names} for key, names in self._tensors.items()},
            _filters={**self._filters},
        )

    def take(self, other: Findings) -> None:
        """Add the problems and warnings of another collection."""
        for found in other.problems:
            self.problem(found.message, hint=found.hint)
        self._warned.update(other._warned)

    def problem(self, message: str, *, hint: str | None = None) -> None:
        """Add a problem that prevents the merge; equal ones are added once."""
        found = Problem(message=message, hint=hint)
        if found not in self.problems:
            self.problems.append(found)

    def tensor(self, message: str, name: str, *, hint: str | None = None) -> None:
        """Add a problem of one tensor; ``{tensors}`` in ``message`` is replaced by the names."""
        self._tensors.setdefault((message, hint), {}).setdefault(name)

    def warn(self, message: str) -> None:
        """Add a warning, which does not prevent the merge; equal ones are added once."""
        self._warned.setdefault(message)

    def tried(self, parameter: str, pattern: str, *, matched: bool) -> None:
        """Record that a parameter's filter was compared with a tensor's name."""
        before = self._filters.get((parameter, pattern), False)
        self._filters[parameter, pattern] = before or matched

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, including one for each filter that matched no tensor."""
        idle = [
            f"filter `{pattern}` of {parameter} matches no tensor that is merged: "
            "its value is used nowhere"
            for (parameter, pattern), matched in self._filters.items()
            if not matched
        ]
        return (*self._warned, *idle)

    def raise_if_any(self, *, file: str | None) -> None:
        """Raise the problems, if there are any.

        Raises:
            PlanError: with every problem added so far and the recipe's file name.
        """
        grouped = [
            Problem(message=message.replace("{tensors}", _enumerate([*names])), hint=hint)
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
