"""``python -m benchmarks.merge``: mergebot and mergekit side by side, as whole processes.

Both tools read the same checkpoints from a warm page cache and write the same dtype to the same
disk; they take turns within one run. mergekit is given its better option of two.
"""

from __future__ import annotations

import math
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click

from benchmarks.checkpoints import SHAPES, build, tensors
from benchmarks.measure import Measured, best_of, io_floor
from benchmarks.recipes import METHODS, input_names, write_recipe
from bot.runner.host import machine
from bot.sizes import format_bytes

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
SLOW_SECONDS = 45.0
HEADER = (
    "| method | mergebot s | mergekit s | ratio | I/O floor s | over floor "
    "| mergebot anon. (resident) | mergekit anon. (resident) |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True)
class Row:
    """One method, measured."""

    method: str
    ours: Measured
    theirs: Measured
    floor: float

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes."""
        return self.theirs.seconds / self.ours.seconds

    def markdown(self) -> str:
        """The row of the table."""
        cells = [
            self.method,
            f"{self.ours.seconds:.2f}",
            f"{self.theirs.seconds:.2f}",
            f"{self.ratio:.1f}×",
            f"{self.floor:.2f}",
            f"{self.ours.seconds / self.floor:.1f}×",
            _memory(self.ours),
            _memory(self.theirs),
        ]
        return "| " + " | ".join(cells) + " |"


@click.command()
@click.option("--size", type=click.Choice(list(SHAPES)), default="100M", show_default=True)
@click.option("--method", "chosen", multiple=True, type=click.Choice(METHODS))
@click.option("--repeat", default=3, show_default=True, help="Runs of each; the best counts.")
@click.option("--data", type=click.Path(path_type=Path), default=HERE / ".data")
@click.option("--write", is_flag=True, help="Put the table into benchmarks/README.md.")
def main(size: str, chosen: Sequence[str], repeat: int, data: Path, write: bool) -> None:
    """Measure the merge methods against mergekit on synthetic Llama checkpoints."""
    folder = build(data, size)
    lines = []
    click.echo(HEADER)
    rows = []
    for row in measure(folder, size, chosen or METHODS, repeat):
        rows.append(row)
        lines.append(row.markdown())
        click.echo(row.markdown())
    mean = math.exp(sum(math.log(row.ratio) for row in rows) / len(rows))
    lines.append(f"\nGeometric mean of the ratios: {mean:.1f}×.")
    click.echo(lines[-1])
    if write:
        options = [f"--size {size}", f"--repeat {repeat}", *(f"--method {name}" for name in chosen)]
        write_page(size, f"python -m benchmarks.merge {' '.join(options)}", lines)


def measure(folder: Path, size: str, methods: Sequence[str], repeat: int) -> Iterator[Row]:
    """Measure methods one by one; the tools take turns."""
    out_bytes = sum(spec.nbytes for spec in tensors(SHAPES[size]))
    bin_folder = Path(sys.executable).parent
    out = folder / "out"
    for method in methods:
        path = write_recipe(folder, method)
        inputs = [folder / name for name in input_names(method)]
        floor = min(io_floor(inputs, out, out_bytes) for _ in range(repeat))
        mine = [str(bin_folder / "mergebot"), "merge", str(path), str(out), "-q"]
        peer = [str(bin_folder / "mergekit-yaml"), str(path), str(out), "--quiet"]
        peer += ["--allow-crimes", "--no-copy-tokenizer", "--no-write-model-card"]
        os.chdir(folder)
        ours = best_of(mine, out, repeat)
        theirs = _best_option(peer, out, repeat)
        yield Row(method, ours, theirs, floor)


def _best_option(peer: list[str], out: Path, repeat: int) -> Measured:
    """mergekit's default and its asynchronous writer; slow methods are run once each."""
    first = best_of(peer, out, 1)
    again = repeat if first.seconds < SLOW_SECONDS else 1
    plain = [first] if again == 1 else [first, best_of(peer, out, again - 1)]
    threaded = best_of([*peer, "--async-write", "--write-threads", "2"], out, again)
    return min([*plain, threaded], key=lambda found: found.seconds)


def write_page(size: str, command: str, lines: Sequence[str]) -> None:
    """Replace the table of this size in the page, with date, machine and versions."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else "# Benchmarks\n"
    begin, end = f"<!-- {size}:begin -->", f"<!-- {size}:end -->"
    facts = machine()
    names = ("mergebot", "mergekit", "torch", "numpy", "numba")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    where = f"{facts['cpu']}, {facts['cpus']} cores, {platform.system()}"
    block = "\n".join(
        [
            begin,
            f"## {size} parameters, bf16, three models",
            "",
            f"{time.strftime('%Y-%m-%d')}, {where}; {versions}.",
            f"Repeat with `{command}`.",
            "",
            HEADER,
            *lines,
            end,
        ]
    )
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    if not rest:
        head += "\n"
    PAGE.write_text(head + block + (tail or "\n"), "utf-8")


def _memory(found: Measured) -> str:
    return f"{format_bytes(found.anonymous)} ({format_bytes(found.resident)})"


if __name__ == "__main__":
    main()
