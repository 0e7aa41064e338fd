"""Smaller batches for all models of a comparison where one of them does not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.errors import EvaluationError
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.score_files import OUT_OF_MEMORY_NOTE, write_json

NOTE = "out_of_memory.json"


def halved(settings: Settings) -> Settings:
    """The same settings with half the batch size.

    Raises:
        EvaluationError: the batch is a single item already.
    """
    if settings.batch_size == 1:
        raise EvaluationError(
            "even a single item does not fit into memory",
            hint="use a larger machine, a smaller dtype or a suite with a smaller max_length",
        )
    return settings.halved()


def is_too_large(folders: Sequence[Path]) -> bool:
    """Whether an earlier run noted that a model did not fit at this batch size.

    Args:
        folders: the results folders of the models; their names stand for the batch size.
    """
    return any((folder / NOTE).exists() for folder in folders)


def note_too_large(folders: Sequence[Path], settings: Settings) -> None:
    """Remember that these models together did not fit, so that the next run does not try again."""
    for folder in folders:
        write_json(folder / NOTE, OUT_OF_MEMORY_NOTE, {"batch_size": settings.batch_size})
