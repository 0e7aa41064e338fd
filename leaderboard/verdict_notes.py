"""What is said beside a verdict: parents that are beaten, the length cap, single tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from leaderboard.number_format import listed, points, signed
from leaderboard.record_results import Comparison, SuiteResult
from leaderboard.statistics.multiple_testing import holm, two_sided_claim

TASK_RULE = "▲ and ▼ mark tasks whose difference holds after Holm's correction over the tasks."
Change = Literal["better", "worse", "unclear"]
CHANGE_SYMBOLS: Mapping[Change, str] = {"better": "▲", "worse": "▼", "unclear": "?"}


def task_changes(comparison: Comparison, *, alpha: float = 0.05) -> dict[str, Change]:
    """By task, whether the merge gains or loses on it, after Holm's correction over the tasks.

    The one rule of every table, drawing and list of tasks.
    """
    adjusted = holm([row.p_two_sided for row in comparison.tasks])
    return {
        row.task: ("better" if row.delta > 0 else "worse") if p < alpha else "unclear"
        for row, p in zip(comparison.tasks, adjusted, strict=True)
    }


def task_notes(suite: SuiteResult, best: Comparison, *, alpha: float) -> list[str]:
    """The tasks that the merge gains or loses on against its best parent; gains first."""
    titles = {task.task: task.title for task in suite.tasks}
    changes = task_changes(best, alpha=alpha)
    return [
        f"{change} on {titles[row.task]} ({signed(row.delta)})"
        for change in ("better", "worse")
        for row in sorted(best.tasks, key=lambda row: (-abs(row.delta), row.task))
        if changes[row.task] == change
    ]


def some_note(
    suite: SuiteResult, names: Mapping[str, str], *, is_better: bool, alpha: float
) -> list[str]:
    """Which parents are beaten, where it is some but not all of them."""
    beaten = sorted(
        names[found.parent]
        for found in suite.comparisons
        if two_sided_claim(found.overall.p_greater) < alpha
    )
    if is_better or not beaten or len(beaten) == len(suite.comparisons):
        return []
    return [f"better than some: {listed(beaten)}"]


def cap_notes(capped: Sequence[Comparison], names: Mapping[str, str]) -> list[str]:
    """The parents whose answers were cut at the length cap more or less often than the merge's."""
    return [
        f"its share of answers cut at the length cap differs by {points(found.cap_gap)} points from"
        f" {names[found.parent]}'s: that cannot support “better”"
        for found in sorted(capped, key=lambda found: names[found.parent])
    ]


def template_notes(suite: SuiteResult, names: Mapping[str, str]) -> list[str]:
    """The models that have no chat template where the others were asked in theirs."""
    return [
        f"{names.get(key, 'the merge')} has no chat template and was asked in plain text"
        for key in suite.plain_prompts
    ]
