"""What a stage of a run is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bot.pipeline.run_folder import RunFolder


class Stage(Protocol):
    """One step of a run, which reads and writes files and keeps nothing in memory.

    Whatever a stage needs lies in the run's folder or in the workspace under a key. Any process can
    therefore run it. A stage that was killed is run again: ``execute`` goes on from what is there.
    """

    @property
    def name(self) -> str:
        """The word on the command line, in the log and in messages."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """The stages that must be done before."""
        ...

    @property
    def events(self) -> tuple[str, ...]:
        """What ``Event.stage`` may say in the events that the stage reports."""
        ...

    def key(self, run: RunFolder) -> str:
        """What names the stage's result: the same key, the same result."""
        ...

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The files and folders that the stage leaves, the one that says it is done last."""
        ...

    def is_done(self, run: RunFolder) -> bool:
        """Whether the result is there and is that of the present inputs.

        Raises:
            MergebotError: what is there cannot be used and must not be replaced.
        """
        ...

    def execute(self, run: RunFolder) -> None:
        """Make the result; what a killed process had finished is not made again.

        Raises:
            MergebotError: the stage failed; what earlier stages made is kept.
        """
        ...
