"""One number per suite: weights, normalisation by chance level, the equal-weight mean.

Normalisation is (x - b) / (1 - b) with b the score of guessing. It is not floored at 0 where
tests are made, since the floor makes a guessing model look better than it is; the Open LLM
Leaderboard's own score floors each subtask (huggingface.co/docs/leaderboards, "normalization").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from scipy import stats

from leaderboard.board_errors import IncomparableError
from leaderboard.record_results import Headline, Score
from leaderboard.sample_scores import TaskScores
from leaderboard.statistics.intervals import LEVEL, task_score


def normalised(value: float, lower_bound: float) -> float:
    """The score on a scale where guessing is 0 and perfect is 1; below 0 where it is worse."""
    return (value - lower_bound) / (1 - lower_bound)


def group_weights(groups: Mapping[str, str]) -> dict[str, float]:
    """Task weights that give every group the same share, and tasks the same share in a group."""
    sizes = Counter(groups.values())
    return {task: 1 / (len(sizes) * sizes[group]) for task, group in groups.items()}


def equal_weights(tasks: Mapping[str, object]) -> dict[str, float]:
    """The same weight for every task."""
    return {task: 1 / len(tasks) for task in tasks}


def headline(
    scores: Mapping[str, TaskScores],
    *,
    weights: Mapping[str, float] | None = None,
    lower_bounds: Mapping[str, float] | None = None,
) -> Headline:
    """The weighted mean over tasks with its 95 % interval; tasks are independent.

    Args:
        scores: one model's scores by task.
        weights: the tasks' shares, summing to 1; equal where None.
        lower_bounds: the scores of guessing, to normalise by; None leaves scores as they are.
    """
    weights = checked_weights(scores, weights)
    value, variance = 0.0, 0.0
    for task, found in scores.items():
        score = task_score(found)
        scale = weights[task] / (1 - (lower_bounds or {}).get(task, 0.0))
        value += scale * (score.value - (lower_bounds or {}).get(task, 0.0))
        variance += (scale * (score.stderr or 0.0)) ** 2
    error = math.sqrt(variance)
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    return Headline(value=min(value, 1.0), stderr=error, low=value - half, high=value + half)


def checked_weights(
    tasks: Mapping[str, object], weights: Mapping[str, float] | None
) -> Mapping[str, float]:
    """The weights to use. Raises IncomparableError unless they fit the tasks and sum to 1."""
    if weights is None:
        return equal_weights(tasks)
    if weights.keys() != tasks.keys() or abs(math.fsum(weights.values()) - 1) > 1e-9:
        raise IncomparableError(
            "the suite's weights do not fit its tasks or do not sum to 1",
            hint=f"tasks: {', '.join(sorted(tasks))}",
        )
    return weights


def open_llm_leaderboard_v2(
    scores: Mapping[str, Score], *, lower_bounds: Mapping[str, float], groups: Mapping[str, str]
) -> float:
    """The retired board's own average: subtasks normalised and floored, then means of means."""
    weights = group_weights(groups)
    return math.fsum(
        weights[task] * max(0.0, normalised(scores[task].value, lower_bounds.get(task, 0.0)))
        for task in groups
    )
