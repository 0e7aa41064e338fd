"""How far a merge is, in bytes of output."""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import InterruptedRunError
from bot.events import Event, Kind, Report
from bot.plan.merge_plan import TensorJob

_STAGE = "merge"


class Progress:
    """Counts what is written; what an earlier attempt finished counts from the start."""

    def __init__(self, jobs: Sequence[TensorJob], report: Report) -> None:
        self._report = report
        self._tensors = len(jobs)
        self._total = sum(job.output.nbytes for job in jobs)
        self._done = 0

    def start(self, todo: Sequence[TensorJob]) -> None:
        """What is left to do is known."""
        self._done = self._total - sum(job.output.nbytes for job in todo)
        kept = self._tensors - len(todo)
        self._say("start", f"{kept} of {self._tensors} tensors are already done" if kept else "")

    def advance(self, tensor: str, nbytes: int) -> None:
        """More bytes of a tensor are written."""
        self._done += nbytes
        self._say("advance", tensor)

    def end(self) -> None:
        """The model has its final name."""
        self._say("end", "")

    def interrupted(self) -> InterruptedRunError:
        """What to tell someone who stopped the merge."""
        share = self._done / self._total if self._total else 0.0
        return InterruptedRunError(
            f"stopped at {share:.0%} of the merge; finished tensors are kept",
            hint="run the same command again to continue",
        )

    def _say(self, kind: Kind, item: str) -> None:
        self._report(Event(_STAGE, kind, "bytes", self._done, self._total, item))
