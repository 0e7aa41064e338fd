"""All runs in one parquet table: what the dataset viewer shows, and what a board reads at once.

The table is derived: every row can be rebuilt from the record and the retraction it carries whole.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leaderboard.board_errors import RecordError
from leaderboard.migrations import RETRACTION, RUNS_TABLE, parquet_mark, require_readable
from leaderboard.record import Record, parse_record
from leaderboard.record_provenance import Retraction
from leaderboard.record_store import Loaded, parse_document
from leaderboard.verdict import judge, main_suite

SCHEMA = pa.schema(
    [
        ("run_key", pa.string()),
        ("name", pa.string()),
        ("created", pa.string()),
        ("status", pa.string()),
        ("method", pa.string()),
        ("suite", pa.string()),
        ("score", pa.float64()),
        ("verdict", pa.string()),
        ("delta", pa.float64()),
        ("p", pa.float64()),
        ("parents", pa.list_(pa.string())),
        ("license", pa.string()),
        ("repo", pa.string()),
        ("retracted", pa.bool_()),
        ("record", pa.string()),
        ("retraction", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The documents of one run, as text."""

    record: str
    retraction: str | None = None


def runs_parquet(runs: Mapping[str, Run]) -> bytes:
    """The table of these runs, by run key; the same runs give the same bytes."""
    rows = [_row(key, run) for key, run in sorted(runs.items())]
    sink = io.BytesIO()
    schema = SCHEMA.with_metadata(parquet_mark(RUNS_TABLE))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()


def read_runs(data: bytes) -> dict[str, Run]:
    """The documents in a table.

    Raises:
        RecordError: it is none of ours, or was written by a newer version of this program.
    """
    try:
        table = pq.read_table(io.BytesIO(data), columns=["run_key", "record", "retraction"])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise RecordError(f"the table of runs cannot be read: {error}") from error
    require_readable(RUNS_TABLE, table.schema.metadata, where="the table of runs")
    return {
        row["run_key"]: Run(record=row["record"], retraction=row["retraction"])
        for row in table.to_pylist()
    }


def load_runs(runs: Mapping[str, Run], *, where: str) -> Loaded:
    """The records of these runs with their retractions; broken ones become problems."""
    records, problems = [], []
    for key, run in sorted(runs.items()):
        try:
            record = parse_record(run.record, where=f"{where}/records/{key}.json")
            retraction = _retraction(run, f"{where}/retractions/{key}.json")
        except RecordError as error:
            problems.append(error)
            continue
        records.append(record.model_copy(update={"retraction": retraction}))
    return Loaded(records=tuple(records), problems=tuple(problems))


def _retraction(run: Run, where: str) -> Retraction | None:
    if run.retraction is None:
        return None
    return parse_document(run.retraction, Retraction, RETRACTION, where=where)


def _row(key: str, run: Run) -> dict[str, Any]:
    documents = {"record": run.record, "retraction": run.retraction}
    row: dict[str, Any] = {"run_key": key, "retracted": run.retraction is not None, **documents}
    try:
        record = parse_record(run.record)
    except RecordError:
        return row
    return row | _facts(record)


def _facts(record: Record) -> dict[str, Any]:
    suite = main_suite(record)
    head = suite.headline.get(record.model_digest or "") if suite else None
    judgement = judge(record)
    return {
        "name": record.name,
        "created": record.created,
        "status": record.status,
        "method": record.recipe.method,
        "suite": f"{suite.suite} {suite.version}" if suite else None,
        "score": head.value if head else None,
        "verdict": judgement.words,
        "delta": judgement.delta,
        "p": judgement.p,
        "parents": [parent.ref for parent in record.parents],
        "license": record.license.id if record.license else None,
        "repo": record.publication.repo if record.publication else None,
    }
