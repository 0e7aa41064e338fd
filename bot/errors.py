"""Everything that can go wrong and be explained, as one tree with one exit code per class.

::

    MergebotError                 1
    ├── UsageError                2    the command line itself
    ├── RecipeError               3    what the recipe says (all problems at once)
    ├── PlanError                 4    the recipe does not fit its parents
    ├── CheckpointError           5    a model's files are missing, broken or hostile
    ├── StorageError              6    disk full, no permission, short write
    ├── NonFiniteError            7    NaN or infinity in a parent or a merge
    ├── CheckFailedError          8    a hard check between a merge and its evaluation
    ├── EvaluationError           9    a suite could not be run or gave no valid score
    ├── ComparisonError           10   results that must not be compared
    ├── HubError                  11   the Hub refused or could not be reached
    │   └── AccessError           12   gated, private, or a token without the right
    ├── LicenseError              13   the parents' licenses forbid publishing
    ├── EnvironmentMissingError   14   a missing extra, device or program
    ├── VerificationError         15   a model is not what its lock says
    ├── RecordError               16   a run, record or lock that is missing or broken
    ├── PublishError              17   refused to publish
    └── InterruptedRunError       130  stopped by the user; resumable
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


class MergebotError(Exception):
    """A failure with an explanation: what happened, where, and what to do next.

    Args:
        message: what failed and where; one or more lines, no traceback wording.
        hint: the next step for the person who reads it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def problems(self) -> Sequence[Problem]:
        """The failure as a list of located problems; most classes have exactly one."""
        return (Problem(message=self.message, hint=self.hint),)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, with its place in a file where there is one (1-based).

    ``excerpt`` is the file's line at that place, where it is known.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    excerpt: str | None = None

    @property
    def place(self) -> str:
        """``file:line:column`` as far as it is known, or an empty string."""
        parts = [self.file, self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class UsageError(MergebotError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class _ProblemsError(MergebotError):
    """An error that carries every problem found, not just the first."""

    noun: ClassVar[str] = "problem"

    def __init__(self, found: Iterable[Problem], *, hint: str | None = None) -> None:
        self._problems = tuple(found)
        count = len(self._problems)
        lines = [str(problem) for problem in self._problems]
        if count > 1:
            lines.insert(0, f"{count} {self.noun}s:")
        super().__init__("\n".join(lines), hint=hint)

    def problems(self) -> Sequence[Problem]:
        """Every problem found, in the order of the file."""
        return self._problems


class RecipeError(_ProblemsError):
    """The recipe is not valid; every problem with file, line and column."""

    exit_code = 3
    noun = "recipe problem"


class PlanError(_ProblemsError):
    """The recipe is valid but its parents do not fit together."""

    exit_code = 4
    noun = "plan problem"


class CheckpointError(MergebotError):
    """A model's files are missing, broken, or lie about their contents."""

    exit_code = 5


class StorageError(MergebotError):
    """The disk refused: full, read-only, no permission, or a short write; or memory ran out."""

    exit_code = 6


class NonFiniteError(MergebotError):
    """A NaN or an infinity in a parent's or a merge's tensor.

    Args:
        message: what failed and where.
        hint: the next step.
        of_merge: the parents are finite, so another merge of them may be.
    """

    exit_code = 7

    def __init__(self, message: str, *, hint: str | None = None, of_merge: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.of_merge = of_merge


class CheckFailedError(MergebotError):
    """The merge failed a hard check and is not evaluated."""

    exit_code = 8


class EvaluationError(MergebotError):
    """A suite could not be run, or what it gave is not a score.

    Args:
        message: what failed and where.
        hint: the next step.
        found: the mistakes in a suite's files, each with its place, where there are any.
    """

    exit_code = 9

    def __init__(
        self, message: str, *, hint: str | None = None, found: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self._found = tuple(found)

    def problems(self) -> Sequence[Problem]:
        """The mistakes in a suite's files, or the failure as one problem."""
        return self._found or super().problems()


class ComparisonError(MergebotError):
    """Two results must not be compared: other items, settings or coverage."""

    exit_code = 10


class HubError(MergebotError):
    """The Hub refused a request or could not be reached."""

    exit_code = 11


class AccessError(HubError):
    """A gated or private repository, or a token without the needed right."""

    exit_code = 12


class LicenseError(MergebotError):
    """The parents' licenses do not allow the merge to be published."""

    exit_code = 13


class EnvironmentMissingError(MergebotError):
    """An extra, a device or a program that this command needs is not there."""

    exit_code = 14


class VerificationError(MergebotError):
    """A model cannot be shown to be what its lock says."""

    exit_code = 15


class RecordError(MergebotError):
    """A run, a record or a lock that is not there, or whose form is unknown or broken."""

    exit_code = 16


class PublishError(MergebotError):
    """Publishing was refused before anything became public."""

    exit_code = 17


class InterruptedRunError(MergebotError):
    """The user stopped the run; what was finished is kept."""

    exit_code = 130
