"""Stores, contexts and served Spaces for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bot.pipeline.live_merge import LiveMerge
from leaderboard.item_texts import TEXT_COLUMNS
from leaderboard.record import Record
from leaderboard.record_store import Loaded
from leaderboard.sample_scores import TaskScores
from space_app.app_context import Context
from space_app.chat.chat_backend import ChatBackend
from space_app.chat.rate_limits import Limits
from space_app.space_settings import Settings, Weights
from tests.leaderboard.samples import (
    HOSTILE_TEXTS,
    MODEL,
    PARENTS,
    failed_record,
    in_words,
    record_of,
    scores_of,
)

HOSTILE = "<img src=x onerror=window.hacked=1>"
SHARES = {"good": (0.75, 0.85, 0.80), "plain": (0.55, 0.70, 0.60), "bad": (0.30, 0.20, 0.40)}


class MemoryStore:
    """Records held in memory; `failure` makes reading fail."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = tuple(records)
        self.failure: Exception | None = None

    def load(self) -> Loaded:
        if self.failure:
            raise self.failure
        return Loaded(records=self.records)


def records() -> list[Record]:
    """Three merges of the same parents, one with a name that wants to be a script, one failure."""
    made = [record_of(name, shares) for name, shares in SHARES.items()]
    bare = MODEL.model_copy(update={"chat_template": None})
    hostile = record_of(HOSTILE, (0.5, 0.9, 0.6), model=bare)
    texts = {record.name: record.recipe.text for record in made}
    assert len(set(texts)) == 3
    return [*made, hostile, failed_record()]


def samples(_suite: str, key: str) -> dict[str, TaskScores] | None:
    """Scores by item of the merges and parents of `records`, except for one; texts are hostile."""
    shares = {f"digest-{name}": found for name, found in SHARES.items()} | dict(PARENTS)
    if key not in shares:
        return None
    texts: dict[str, Any] = {
        name: tuple(islice(cycle(HOSTILE_TEXTS), 200)) for name in TEXT_COLUMNS
    }
    return {task: in_words(found, **texts) for task, found in scores_of(shares[key]).items()}


def settings(folder: Path, *, backends: Sequence[ChatBackend] = (), **changes: Any) -> Settings:
    fields: dict[str, Any] = {
        "store": MemoryStore(records()),
        "votes": folder / "votes.sqlite",
        "salt": "salt",
        "backends": tuple(backends),
        "samples": samples,
        "weights": lambda row: Weights(f"somewhere/{row.key}", "c" * 40),
        "examples": {"skills": ("reverse cabd=", "sort cabd=")},
        "recipes": "org/recipes",
        "memory": 3_000_000,
        "limits": Limits(per_minute=600, per_hour=36_000),
    }
    return Settings(**(fields | changes))


def context(folder: Path, **changes: Any) -> Context:
    return Context.of(settings(folder, **changes))


SKILLS = Path(__file__).parents[2] / "recipes/skills"
SLIDING = """\
merge_method: task_arithmetic
base_model: ./models/skills-base
models:
  - model: ./models/skills-sort
    parameters: {weight: 0.4}
  - model: ./models/skills-increment
    parameters: {weight: 0.6}
dtype: float32
"""


def sliding_settings() -> dict[str, Any]:
    """What lets a merge of the skills family be made again at another scale."""
    record = record_of("sliding")
    facts = record.recipe.model_copy(update={"text": SLIDING})
    return {
        "store": MemoryStore([record.model_copy(update={"recipe": facts})]),
        "recipe_folder": lambda _row: SKILLS,
        "live_merge": LiveMerge(),
    }
