"""``python -m benchmarks memory``: merges of large parents under a hard limit on their memory.

The parents are real files of at least 6 GB each, then models with one tensor of 2 GB. The kernel
holds the process to the limit (``RLIMIT_DATA``: all its writable private memory, touched or not);
a merge that needs more fails, and so does the benchmark. What is built is deleted afterwards.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkpoints import build, nbytes
from benchmarks.measure import run, under_limit
from benchmarks.recipes import CASES, Case
from benchmarks.report import Report
from bot.format_units import format_bytes

LIMIT = 1_200_000_000
METHODS = ("linear", "ties", "dare_ties", "della", "model_stock", "sce", "arcee_fusion")
SIZES = ("3B", "one tensor of 2 GB")
COMMAND = str(Path(sys.executable).parent / "mergebot")
HEADER = (
    "| method | parents | bytes of each | limit | peak anon. (resident) | s |\n"
    "|---|---|---:|---:|---:|---:|"
)


@dataclass(frozen=True, kw_only=True)
class MemoryRow:
    """One merge that succeeded under the limit; bytes."""

    method: str
    size: str
    parent: int
    limit: int
    anonymous: int
    resident: int
    seconds: float


def measure(report: Report, data: Path, sizes: Sequence[str], limit: int) -> Iterator[str]:
    """Merge each method once per size; yields a line for each.

    Raises:
        RuntimeError: a merge failed, for one that the limit was too low; carries what it said.
    """
    data.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        wanted = [method for method in METHODS if report.wants("memory", f"{method} {size}")]
        if not wanted:
            continue
        with tempfile.TemporaryDirectory(dir=data, prefix="memory-") as home:
            folder = build(Path(home), size, distinct=False)
            for case in (CASES[method] for method in wanted):
                row = _row(case, folder, size, limit)
                report.add("memory", f"{row.method} {size}", row)
                yield _line(row)


def draw(report: Report) -> Iterator[str]:
    """The table of what succeeded, and its highest peak."""
    rows = list(report.rows("memory", MemoryRow).values())
    if rows:
        yield from ("## Memory under a hard limit", "")
        yield from (f"Measured {place}." for place in report.places("memory"))
        yield from ("Repeat with `python -m benchmarks memory`.", "")
        yield HEADER
        yield from map(_line, rows)
        highest = max(row.anonymous for row in rows)
        yield f"\nHighest peak of anonymous memory: {format_bytes(highest)}.\n"


def _row(case: Case, folder: Path, size: str, limit: int) -> MemoryRow:
    out = folder / "out"
    command = [COMMAND, "merge", str(case.write(folder)), str(out), "-q"]
    found = run(under_limit(command, limit), out)
    return MemoryRow(
        method=case.method,
        size=size,
        parent=nbytes(size),
        limit=limit,
        anonymous=found.anonymous,
        resident=found.resident,
        seconds=found.seconds,
    )


def _line(row: MemoryRow) -> str:
    peak = f"{format_bytes(row.anonymous)} ({format_bytes(row.resident)})"
    sizes = [format_bytes(row.parent), format_bytes(row.limit), peak]
    return "| " + " | ".join([row.method, row.size, *sizes, f"{row.seconds:.2f}"]) + " |"
