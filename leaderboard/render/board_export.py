"""The board as CSV, JSON and parquet, in full precision: one row a model."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leaderboard.board import Board, Row
from leaderboard.migrations import TABLE, parquet_mark
from leaderboard.render.escape import csv_text


def board_records(board: Board) -> list[dict[str, Any]]:
    """One flat dictionary a row, ranked rows first; scores are fractions of 1."""
    return [row_record(board, row) for row in (*board.rows, *board.unranked)]


def board_csv(board: Board) -> str:
    """CSV with a header; text that a spreadsheet would take for a formula gets a quote."""
    rows = board_records(board)
    columns = list(rows[0]) if rows else ["name"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([csv_text(column) for column in columns])
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return file.getvalue()


def board_json(board: Board) -> str:
    """JSON with the suite, the number of claims and attempts, and the rows."""
    content = {
        "suite": board.suite.suite if board.suite else None,
        "version": board.suite.version if board.suite else None,
        "claims": board.claims,
        "attempts": board.attempts,
        "updated": board.updated,
        "models": board_records(board),
    }
    return json.dumps(TABLE.mark(content), indent=2, ensure_ascii=False) + "\n"


def board_parquet(board: Board) -> bytes:
    """Parquet with the same columns as the CSV."""
    rows = board_records(board)
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata(parquet_mark(TABLE)), sink)
    return sink.getvalue()


def row_record(board: Board, row: Row) -> dict[str, Any]:
    """One row as a flat dictionary of plain values; scores are fractions of 1."""
    judgement, headline, record = row.judgement, row.headline, row.record
    flat: dict[str, Any] = {
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "name": row.name,
        "kind": row.kind,
        "status": row.status,
        "score": headline.value if headline else None,
        "score_low": headline.low if headline else None,
        "score_high": headline.high if headline else None,
        "verdict": judgement.words if judgement else None,
        "claim": _claim(row),
        "best_parent": judgement.best_parent_name if judgement else None,
        "delta": judgement.delta if judgement else None,
        "delta_low": judgement.low if judgement else None,
        "delta_high": judgement.high if judgement else None,
        "p": judgement.p if judgement else None,
        "mde": judgement.mde if judgement else None,
        "holm_p": row.adjusted_p,
        "holds_after_correction": row.holds,
        "attempts": judgement.attempts if judgement else None,
        "method": row.method,
        "parents": "; ".join(row.parents),
        "parameters": row.parameters,
        "memory_bytes": row.memory_bytes,
        "license": row.license,
        "flags": "; ".join(f"{flag.kind}: {flag.reason}" for flag in row.flags),
        "model_key": row.key,
        "run_key": record.run_key if record else None,
        "suite": str(board.suite) if board.suite else None,
        "commit": record.publication.commit if record and record.publication else None,
        "url": record.publication.url if record and record.publication else None,
        "created": row.created,
    }
    for task in board.tasks:
        score = row.tasks.get(task.task)
        flat[f"task.{task.task}"] = score.value if score else None
    return flat


def _claim(row: Row) -> str | None:
    """How far "better than every parent" is shown; None for models without parents here."""
    if row.judgement is None:
        return None
    if row.holds:
        return "holds after correction"
    return "provisional" if row.judgement.provisional else "not demonstrated"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return csv_text(value) if isinstance(value, str) else repr(value)
