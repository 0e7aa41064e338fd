"""Scores on official Hub benchmarks, in the form in which a model's repository declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from leaderboard.record import Record
from leaderboard.record_results import SuiteResult, TaskResult

EVAL_RESULTS_FILE = ".eval_results/mergebot.yaml"


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """An official benchmark: its dataset on the Hub, its task there, its number of items."""

    dataset: str
    task_id: str
    items: int


def is_official(suite: SuiteResult, task: TaskResult) -> bool:
    """Whether a task is an official benchmark and was run on all of it."""
    benchmark = benchmarks().get(task.task)
    return benchmark is not None and task.n == benchmark.items and suite.settings.limit is None


def eval_results(record: Record, source: str | None = None) -> str | None:
    """The text of ``.eval_results/mergebot.yaml``; None when no task is an official benchmark.

    Args:
        record: the run.
        source: address of the full results.
    """
    entries = [
        _entry(record, suite, task, source)
        for suite in sorted(record.suites, key=lambda found: (found.suite, found.version))
        for task in suite.tasks
        if record.model_digest in task.scores and is_official(suite, task)
    ]
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True) if entries else None


def _entry(
    record: Record, suite: SuiteResult, task: TaskResult, source: str | None
) -> dict[str, Any]:
    benchmark = benchmarks()[task.task]
    score = task.scores[record.model_digest or ""]
    harness = record.versions.get("lm-eval", "unknown")
    interval = ""
    if score.low is not None and score.high is not None:
        interval = f", 95 % interval {100 * score.low:.1f} to {100 * score.high:.1f}"
    settings = suite.settings
    notes = (
        f"{task.metric} on {task.n} items{interval}; lm-eval {harness}, suite {suite.suite} "
        f"{suite.version}, {settings.backend} {settings.dtype}, chat template "
        f"{'on' if settings.chat_template else 'off'}"
    )
    entry: dict[str, Any] = {
        "dataset": {"id": benchmark.dataset, "task_id": benchmark.task_id},
        "value": round(100 * score.value, 2),
        "date": record.created[:10],
        "notes": notes,
    }
    if source:
        entry["source"] = {"url": source, "name": "Results with every parent"}
    return entry


@cache
def benchmarks() -> Mapping[str, Benchmark]:
    """The maintained list, by the harness's name of the task."""
    text = resources.files("bot.lineage").joinpath("hub_benchmarks.yaml").read_text("utf-8")
    return {task: Benchmark(**entry) for task, entry in yaml.safe_load(text).items()}
