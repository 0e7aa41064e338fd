"""A board of many made-up models, for measurements; no two alike, so it compresses badly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leaderboard.board import Board, Row
from leaderboard.build_board import build_board
from leaderboard.record_results import Headline, Score
from leaderboard.statistics.rank_ranges import rank_ranges
from leaderboard.verdict import Verdict
from tests.leaderboard.samples import record_of
from tests.present import present

METHODS = ("ties", "slerp", "dare_ties", "linear", "task_arithmetic", "model_stock")
FAMILIES = ("nova", "aria", "terra", "luma", "delta")
VERDICTS = tuple(Verdict)[:4]


def many_models(count: int) -> Board:
    """A ranked board of this many merges."""
    random = np.random.default_rng(0)
    small = build_board([record_of("good")])
    rows = [_row(small.row("good"), i, random) for i in range(count)]
    rows.sort(key=lambda row: -present(row.headline).value)
    values = np.array([present(row.headline).value for row in rows])
    errors = np.array([present(row.headline).stderr for row in rows])
    ranked = [
        replace(row, rank_low=low, rank_high=high)
        for row, (low, high) in zip(rows, rank_ranges(values, errors), strict=True)
    ]
    return replace(small, rows=tuple(ranked), unranked=())


def _row(like: Row, number: int, random: np.random.Generator) -> Row:
    method = METHODS[number % len(METHODS)]
    family = FAMILIES[number % len(FAMILIES)]
    name = f"org{random.integers(900)}/{family}-{random.integers(1, 70)}b-{method}-v{number}"
    value, half = float(random.beta(8, 5)), 0.01 + 0.01 * float(random.random())
    delta = float(random.normal(0, 0.03))
    reach = 0.01 + 0.02 * float(random.random())
    record = present(like.record).model_copy(
        update={
            "name": name,
            "run_key": f"run-{number}",
            "recipe": present(like.record).recipe.model_copy(update={"method": method}),
            "model": present(present(like.record).model).model_copy(
                update={"parameters": int(10 ** random.uniform(8.5, 10.8)), "memory_bytes": None}
            ),
        }
    )
    return replace(
        like,
        key=f"digest-{number}",
        name=name,
        record=record,
        headline=Headline(value=value, stderr=half / 2, low=value - half, high=value + half),
        judgement=replace(
            present(like.judgement),
            verdict=VERDICTS[int(random.integers(4))],
            delta=delta,
            low=delta - reach,
            high=delta + reach,
        ),
        tasks={task: Score(value=float(random.random())) for task in like.tasks},
        created=f"2026-{random.integers(1, 12):02d}-{random.integers(1, 28):02d}T00:00:00Z",
    )
