"""Whether one output among several is still being merged, or was given up while others go on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from bot.engine.worker_pool import Task, TensorBatch
from bot.errors import NonFiniteError


class OutputStatus:
    """Shared by all work on one output; ``error`` says why it was given up."""

    def __init__(self) -> None:
        self.error: NonFiniteError | None = None

    def sharing(self, batches: Iterator[TensorBatch]) -> Iterator[TensorBatch]:
        """The batches of one tensor, until some tensor of the output turns out not to be finite."""
        while self.error is None and (batch := next(batches, None)) is not None:
            yield TensorBatch(
                (partial(self._attempt, task) for task in batch.tasks),
                partial(self._fold, batch),
                batch.nbytes,
            )

    def _attempt(self, task: Task) -> Any:
        if self.error is None:
            try:
                return task()
            except NonFiniteError as error:
                if not error.of_merge:
                    raise
                self.error = error
        return None

    def _fold(self, batch: TensorBatch, result: Any) -> None:
        if self.error is None:
            batch.fold(result)
