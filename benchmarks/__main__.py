"""Measure everything and write the tables into the page.

\b
    python -m benchmarks                                 all of it, for a quiet machine
    python -m benchmarks --quick                         20M, once each, into .data/quick
    python -m benchmarks --missing                       what an interrupted run left out
    python -m benchmarks merge --size 1.1B --only ties   one row again
    python -m benchmarks evidence                        docs/evidence.md, in about half an hour
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from benchmarks import evidence, memory, merge, scaling
from benchmarks.recipes import CASES
from benchmarks.report import Report

HERE = Path(__file__).parent
SIZES = ("20M", "100M", "1.1B")
PARTS = ("memory", "scaling", "merge")
TRIALS = 2_000
"""Of the page on evidence."""
QUICK = scaling.Ranges(
    sizes=("20M",), models=(2, 3), models_at="20M", threads=(1, 2), threads_at="20M"
)
ONLY = "Of merges: these, and with the peer, whatever minutes it takes."


@click.command(help=__doc__, epilog="Rows are kept as they come; an interrupted run loses one.")
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS, "evidence"]))
@click.option("--size", "sizes", multiple=True, type=click.Choice(SIZES), help="Of merges.")
@click.option("--only", multiple=True, type=click.Choice(list(CASES)), metavar="METHOD", help=ONLY)
@click.option("--device", default="cpu", show_default=True, help="Of merges: cpu or cuda.")
@click.option("--missing", is_flag=True, help="Leave out what has a row.")
@click.option("--quick", is_flag=True, help="A small size, once, beside the data.")
@click.option("--repeat", default=3, show_default=True, help="Turns of each tool; the best counts.")
@click.option(
    "--patience",
    default=30.0,
    show_default=True,
    help="A tool gets no further turn once its runs took more seconds than this together.",
)
@click.option("--data", type=click.Path(path_type=Path), default=HERE / ".data")
def main(
    parts: Sequence[str],
    sizes: Sequence[str],
    only: Sequence[str],
    device: str,
    missing: bool,
    quick: bool,
    repeat: int,
    patience: float,
    data: Path,
) -> None:
    """Measure what is asked for, everything by default."""
    data = data.resolve()
    report = Report(data / "quick" if quick else HERE, draw, missing)
    repeat = 1 if quick else repeat
    for part in parts or PARTS:
        click.echo(f"{part}:")
        if part == "evidence":
            place = data / "quick" / "evidence.md" if quick else evidence.PAGE
            lines = evidence.write(100 if quick else TRIALS, place)
        elif part == "merge":
            wanted = sizes or (("20M",) if quick else ("1.1B", "100M"))
            lines = merges(report, data, wanted, only, repeat, patience, device)
        elif part == "memory":
            lines = memory.measure(report, data, ["100M"] if quick else memory.SIZES, memory.LIMIT)
        else:
            ranges = QUICK if quick else scaling.Ranges()
            lines = scaling.measure(report, data, ranges, repeat, patience)
        for line in lines:
            click.echo(line)
    click.echo(f"written: {report.home / 'README.md'}")


def merges(
    report: Report,
    data: Path,
    sizes: Sequence[str],
    names: Sequence[str],
    repeat: int,
    patience: float,
    device: str,
) -> Iterator[str]:
    """Merges of every size, and what each tool takes to start."""
    merge.start_up(report, data, repeat, patience)
    for size in sizes:
        asked = [replace(CASES[name], peer_up_to=size) for name in names] or CASES.values()
        wanted = [case for case in asked if report.wants(merge.section(size, device), case.name)]
        yield from merge.measure(report, data, size, wanted, repeat, patience, device)


def draw(report: Report) -> Iterator[str]:
    """All tables."""
    yield from merge.draw(report)
    yield from memory.draw(report)
    yield from scaling.draw(report)


if __name__ == "__main__":
    main()
