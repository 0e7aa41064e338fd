"""``python -m benchmarks merge``: mergebot and mergekit side by side, as whole processes.

Both tools read the same checkpoints from a warm page cache and write the same dtype to the same
disk, and take turns. mergekit is given its better option of two: as it is, and with two threads
that write (``--async-write --write-threads 2``); it copies no tokenizer and writes no card.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkpoints import SHAPES, build, nbytes
from benchmarks.measure import Best, Tools, io_floor, take_turns
from benchmarks.recipes import CASES, SHARED, Case
from benchmarks.report import Report
from bot.format_units import format_bytes

BIN = Path(sys.executable).parent
THREADED = ["--async-write", "--write-threads", "2"]
HEADER = (
    "| method | mergebot s | mergekit s | ratio | I/O floor s | over floor "
    "| start-up s | over floor, start-up aside | mergebot anon. (resident) "
    "| mergekit anon. (resident) | runs |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True, kw_only=True)
class MergeRow:
    """One method at one size; ``start_up`` is the same recipe over one small layer."""

    ours: Best
    theirs: Best | None
    floor: float
    start_up: float

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes."""
        return self.theirs.seconds / self.ours.seconds if self.theirs else None

    @property
    def over_floor(self) -> float:
        """How many times as long as plain file calls."""
        return self.ours.seconds / self.floor

    @property
    def over_floor_started(self) -> float:
        """The same without the seconds that a merge of next to nothing takes."""
        return max(self.ours.seconds - self.start_up, 0.0) / self.floor


def measure(
    report: Report,
    data: Path,
    size: str,
    cases: Sequence[Case],
    repeats: int,
    patience: float,
    device: str = "cpu",
) -> Iterator[str]:
    """Measure methods one by one, those that are timed at this size; yields lines as they come."""
    folder, tiny = build(data, size), build(data, "start-up")
    for case in cases:
        if not _timed(case.up_to, size):
            continue
        peer = case.name in SHARED and _timed(case.peer_up_to, size)
        toy = take_turns(tools(case, tiny, False, device), tiny / "out", repeats, patience)
        inputs = [folder / name for name in case.inputs]
        floors = [io_floor(inputs, folder / "out", nbytes(size)) for _ in range(repeats)]
        found = take_turns(tools(case, folder, peer, device), folder / "out", repeats, patience)
        row = MergeRow(
            ours=found["mergebot"],
            theirs=found.get("mergekit"),
            floor=min(floors),
            start_up=toy["mergebot"].seconds,
        )
        report.add(section(size, device), case.name, row)
        yield _line(case.name, row)


def start_up(report: Report, data: Path, repeats: int, patience: float) -> None:
    """What the two tools take for a linear merge of one small layer."""
    folder = build(data, "start-up")
    found = take_turns(tools(CASES["linear"], folder, True), folder / "out", repeats, patience)
    for tool, best in found.items():
        report.add("start-up", tool, best)


def section(size: str, device: str = "cpu") -> str:
    """The name under which rows of a size are kept, apart for other devices than the CPU."""
    return f"merge {size}" if device == "cpu" else f"merge {size} {device}"


def draw(report: Report) -> Iterator[str]:
    """The tables of every size, largest first."""
    for size in reversed(SHAPES):
        for name in report.kept():
            kept, _, device = name.removeprefix("merge ").partition(" ")
            if name.startswith("merge ") and kept == size:
                yield from _drawn(report, size, device)
    started = report.rows("start-up", Best)
    if started:
        each = ", ".join(f"{tool} {best.seconds:.2f} s" for tool, best in started.items())
        yield from (f"Start-up (a linear merge of one small layer, 9M parameters): {each}.", "")


def _drawn(report: Report, size: str, device: str) -> Iterator[str]:
    name = section(size, device or "cpu")
    where, option = (f", on {device}", f" --device {device}") if device else ("", "")
    yield from (f"## Merging {size} parameters, bf16{where}", "")
    yield from (f"Measured {place}." for place in report.places(name))
    yield from (f"Repeat with `python -m benchmarks merge --size {size}{option}`.", "")
    yield from table(report.rows(name, MergeRow))
    yield ""


def table(rows: Mapping[str, MergeRow]) -> Iterator[str]:
    """The rows in the order of the cases, and the geometric mean of their ratios."""
    yield HEADER
    yield from (_line(name, rows[name]) for name in CASES if name in rows)
    ratios = [row.ratio for row in rows.values() if row.ratio is not None]
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        yield f"\nGeometric mean of {len(ratios)} ratios: {mean:.1f}×."


def _line(name: str, row: MergeRow) -> str:
    ours, theirs = row.ours, row.theirs
    cells = [
        name,
        f"{ours.seconds:.2f}",
        f"{theirs.seconds:.2f} ({theirs.option})" if theirs else "–",
        f"{row.ratio:.1f}×" if row.ratio else "–",
        f"{row.floor:.2f}",
        f"{row.over_floor:.1f}×",
        f"{row.start_up:.2f}",
        f"{row.over_floor_started:.1f}×",
        _memory(ours),
        _memory(theirs) if theirs else "–",
        f"{ours.runs} : {theirs.runs}" if theirs else f"{ours.runs}",
    ]
    return "| " + " | ".join(cells) + " |"


def _memory(found: Best) -> str:
    return f"{format_bytes(found.anonymous)} ({format_bytes(found.resident)})"


def _timed(up_to: str, size: str) -> bool:
    order = list(SHAPES)
    return order.index(size) <= order.index(up_to)


def tools(case: Case, folder: Path, peer: bool, device: str = "cpu") -> Tools:
    """The commands of both tools; a peer that is slow runs only with the first of its options.

    On a GPU the peer has its own option for one beside those for the CPU.
    """
    path, out = str(case.write(folder)), str(folder / "out")
    mine = [str(BIN / "mergebot"), "merge", path, out, "-q", "--device", device]
    theirs = [str(BIN / "mergekit-yaml"), path, out, "--quiet", "--allow-crimes"]
    theirs += ["--no-copy-tokenizer", "--no-write-model-card"]
    found: dict[str, dict[str, Sequence[str]]] = {"mergebot": {"": mine}}
    if peer:
        found["mergekit"] = {"async": [*theirs, *THREADED], "default": theirs}
        if device != "cpu":
            found["mergekit"]["cuda"] = [*theirs, "--cuda"]
    return found
