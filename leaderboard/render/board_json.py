"""The board as the browser gets it: lean columns at once, parents and tasks on demand.

Columns are lists of one length, one entry a row; ids, ten characters each, are one text. Scores
are whole tenths of a point, ranks and scores differences to the row before, words that repeat
indices into a list of their own; so ten thousand models stay small.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from leaderboard.board import Board, Row
from leaderboard.number_format import memory, moment, parameters
from leaderboard.render.escape import clean
from leaderboard.verdict import PROVISIONAL_SYMBOL, Verdict

VERDICTS = list(Verdict)
PROVISIONAL = [f"{Verdict.BETTER.value} (provisional)", PROVISIONAL_SYMBOL, "provisional"]
"""The look of "better" that does not hold after correction."""
USUAL_BYTES = 2.4
ID_LENGTH = 10
UNITS = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def model_id(key: str) -> str:
    """A short name of a model for addresses and files."""
    return hashlib.sha256(key.encode()).hexdigest()[:ID_LENGTH]


def board_data(board: Board) -> dict[str, Any]:
    """What the table needs: facts of the board and its lean columns."""
    rows = (*board.rows, *board.unranked)
    return {
        "suite": str(board.suite) if board.suite else None,
        "updated": moment(board.updated) if board.updated else None,
        "ranked": len(board.rows),
        "claims": board.claims,
        "attempts": board.attempts,
        "tasks": [{"task": task.task, "title": clean(task.title)} for task in board.tasks],
        "verdicts": [*verdict_looks(), PROVISIONAL],
        "same": {
            str(place): clean(row.judgement.words)
            for place, row in enumerate(rows)
            if row.judgement and row.judgement.same_as
        },
        "columns": {
            "id": "".join(model_id(row.key) for row in rows),
            "name": [clean(row.name) for row in rows],
            "kind": _coded(row.kind for row in rows),
            "low": _steps([row.rank_low for row in rows]),
            "high": _steps([row.rank_high for row in rows]),
            "score": _steps(
                [_tenths(row.headline.value if row.headline else None) for row in rows]
            ),
            "half": [_half(row) for row in rows],
            "verdict": [_look(row) for row in rows],
            "delta": [_tenths(row.judgement.delta if row.judgement else None) for row in rows],
            "below": [_reach(row)[0] for row in rows],
            "skew": [_reach(row)[1] for row in rows],
            "holds": [int(row.holds) for row in rows],
            "flags": [len(row.flags) for row in rows],
            "method": _coded(row.method for row in rows),
            "params": [_shown_size(row.parameters) for row in rows],
            "memory": [_memory(row) for row in rows],
            "license": _coded(row.license for row in rows),
            "base": _coded(row.base for row in rows),
            "created": _coded(row.created[:10] for row in rows),
        },
    }


def verdict_looks() -> list[list[str]]:
    """Words, symbol and slug of every verdict."""
    return [[verdict.value, verdict.symbol, verdict.slug] for verdict in VERDICTS]


def extra_data(board: Board) -> dict[str, Any]:
    """What search and the task columns need beyond: parents and scores by task."""
    rows = (*board.rows, *board.unranked)
    return {
        "parents": [[clean(name) for name in row.parents] for row in rows],
        "flagged": {
            model_id(row.key): [clean(flag.reason) for flag in row.flags]
            for row in rows
            if row.flags
        },
        "tasks": {
            task.task: [_tenths(_task_value(row, task.task)) for row in rows]
            for task in board.tasks
        },
    }


def script_json(content: object) -> str:
    """JSON that may stand inside a script element or file."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _coded(values: Iterable[str | None]) -> dict[str, Sequence[Any]]:
    """A column of repeating words: the words, and for each row which one, None where missing."""
    column = [None if value is None else clean(value) for value in values]
    words = sorted({value for value in column if value is not None})
    places = {word: place for place, word in enumerate(words)}
    return {"words": words, "rows": [None if value is None else places[value] for value in column]}


def _tenths(fraction: float | None) -> int | None:
    """Tenths of a point, rounded as `leaderboard.number_format.points` does."""
    return None if fraction is None else round(10 * float(f"{100 * fraction:.1f}"))


def _score(row: Row) -> int | None:
    return _tenths(row.headline.value) if row.headline else None


def _look(row: Row) -> int | None:
    """The place of a row's verdict among the looks; a provisional claim has the last one."""
    if row.judgement is None:
        return None
    verdict = row.judgement.verdict
    return len(VERDICTS) if row.judgement.provisional else VERDICTS.index(verdict)


def _half(row: Row) -> int | None:
    if row.headline is None or row.headline.low is None or row.headline.high is None:
        return None
    return _tenths((row.headline.high - row.headline.low) / 2)


def _reach(row: Row) -> tuple[int | None, int | None]:
    """How far the difference's interval reaches below it, and how much further above it."""
    judgement = row.judgement
    if judgement is None:
        return None, None
    middle, low, high = (_tenths(end) for end in (judgement.delta, judgement.low, judgement.high))
    if middle is None or low is None or high is None:
        return None, None
    return middle - low, (high - middle) - (middle - low)


def _steps(values: Sequence[int | None]) -> list[int | None]:
    """Each value as its difference to the one before; missing ones stay missing."""
    last, steps = 0, list[int | None]()
    for value in values:
        steps.append(None if value is None else value - last)
        last = last if value is None else value
    return steps


def _shown_size(count: int | None) -> int | None:
    """The number of parameters to the digits that are shown: 8,030,261,248 as 8,000,000,000."""
    if count is None or count < 1_000:
        return count
    shown = parameters(count)
    return round(float(shown[:-1]) * UNITS[shown[-1]])


def _memory(row: Row) -> float | None:
    """Megabytes to the digits that are shown; 0 for what follows from the size, as it mostly does.

    That is two bytes a parameter and a fifth more, within 2 %.
    """
    if row.memory_bytes is None:
        return None
    usual = (row.parameters or 0) * USUAL_BYTES
    if abs(row.memory_bytes - usual) < 0.02 * usual:
        return 0
    figure, unit = memory(row.memory_bytes).split()
    return round(float(figure) * {"B": 1e-6, "kB": 1e-3, "MB": 1, "GB": 1e3, "TB": 1e6}[unit], 6)


def _task_value(row: Row, task: str) -> float | None:
    score = row.tasks.get(task)
    return score.value if score else None
