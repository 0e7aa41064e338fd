"""The board for a terminal: aligned plain text, no colours of its own, names made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.board import Board, Row
from leaderboard.number_format import (
    MISSING,
    attempts,
    count_of,
    half_width,
    moment,
    parameters,
    points,
    rank_range,
    signed,
)
from leaderboard.render.escape import terminal
from leaderboard.render.svg_parts import shortened
from leaderboard.verdict import FLAG_SYMBOL, PROVISIONAL_SYMBOL, Verdict, sentence

HEADINGS = ("Rank", "Model", "Score", "± 95 %", "Δ best", "Verdict", "Method", "Parents", "Size")
RIGHT = {0, 2, 3, 4, 8}
NAME_WIDTH, PARENTS_WIDTH = 32, 40


def board_text(board: Board, *, limit: int | None = None) -> str:
    """The ranked table with a line of facts above and what is not ranked below."""
    if not board.rows and not board.unranked:
        return "No evaluated models yet. Run a recipe: mergebot run RECIPE\n"
    rows = board.rows[:limit]
    lines = [board_line(board), "", *aligned([HEADINGS, *(_cells(row) for row in rows)])]
    if hidden := len(board.rows) - len(rows):
        lines.append(f"… and {hidden:,} more")
    lines += [_unranked(row) for row in board.unranked]
    lines += ["", notes_line(board)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def board_line(board: Board) -> str:
    """What is ranked, by what, how many models and attempts, as of when."""
    parts = [
        f"suite {terminal(str(board.suite))}" if board.suite else "no suite",
        count_of(len(board.rows), "model"),
        attempts(board.attempts),
    ]
    if board.updated:
        parts.append(f"data {moment(board.updated)}")
    return " · ".join(parts)


def notes_line(board: Board) -> str:
    """How to read ranks and the correction, in one line."""
    tried = attempts(board.attempts) if board.attempts is not None else "an unknown number of them"
    return (
        "2–4 means that the true rank is probably between 2 and 4 (95 % for each model)."
        f" ✓ marks claims that hold after correction for every attempt ({tried}, Holm);"
        f" {PROVISIONAL_SYMBOL} marks claims that hold for that merge alone (provisional)."
    )


def verdict_text(row: Row) -> str:
    """Symbol and words, with the mark of a claim that holds and of flags."""
    if row.judgement is None:
        return "base" if row.kind == "base" else "parent"
    mark = " ✓" if row.holds else ""
    flag = f" {FLAG_SYMBOL}" if row.flags else ""
    return f"{row.judgement.symbol} {terminal(row.judgement.words)}{mark}{flag}"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with a rule under the first; numbers to the right."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
    return [lines[0], "  ".join("─" * width for width in widths), *lines[1:]]


def _cells(row: Row) -> tuple[str, ...]:
    headline = row.headline
    judgement = row.judgement
    return (
        rank_range(row.rank_low, row.rank_high),
        shortened(terminal(row.name), NAME_WIDTH),
        points(headline.value if headline else None),
        half_width(headline.low, headline.high) if headline else "",
        signed(judgement.delta) if judgement and judgement.delta is not None else MISSING,
        verdict_text(row),
        terminal(row.method or MISSING),
        shortened(terminal(", ".join(row.parents)) or MISSING, PARENTS_WIDTH),
        parameters(row.parameters),
    )


def _unranked(row: Row) -> str:
    if row.status == "retracted" and row.record and row.record.retraction:
        return f"✕ {terminal(row.name)} was retracted: {terminal(row.record.retraction.reason)}"
    if row.judgement and row.judgement.verdict is Verdict.FAILED:
        return terminal(sentence(row.judgement, row.name))
    return f"○ {terminal(row.name)}: not evaluated on this suite"
