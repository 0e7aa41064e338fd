"""``mergebot plan``: what a merge will do and cost, from headers alone."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.output import Output, output_options
from bot.plan.describe import describe_plan
from bot.plan.model import Plan
from bot.recipe.load import load_recipe
from bot.runner.forecast import quick_plan
from bot.sizes import format_bytes, format_seconds


@click.command(
    epilog="""\b
Examples:
  mergebot plan recipe.yaml
  mergebot plan recipe.yaml --json | jq .budget

\b
Exit codes: 0 fits, 3 recipe problems, 4 the parents do not fit (every
mismatch at once), 5 a parent's files are broken."""
)
@click.argument("recipe", type=click.Path(path_type=Path))
@output_options
@click.pass_obj
def plan(out: Output, recipe: Path) -> None:
    """Show every output tensor, its sources, the memory and the time needed."""
    made = quick_plan(load_recipe(recipe))
    described = describe_plan(made)
    rows = [
        [
            row["name"],
            row["dtype"],
            "×".join(map(str, row["shape"])) or "scalar",
            format_bytes(row["bytes"]),
            row["method"],
            ", ".join(_short(source, row["name"]) for source in row["sources"]),
        ]
        for row in described["tensors"]
    ]
    table = out.table(rows, ["tensor", "dtype", "shape", "size", "method", "sources"], right=[3])
    out.result(dict(described), [table, "", _summary(made)])
    for warning in made.warnings:
        out.note(f"note: {warning}")


def _short(source: str, name: str) -> str:
    """Leave out a source tensor's name where it is the output's own."""
    parent, _, tensor = source.partition(":")
    return parent if tensor == name else source


def _summary(made: Plan) -> str:
    budget = made.budget
    parameters = sum(job.output.elements for job in made.jobs)
    memory = format_bytes(budget.peak_memory_bytes)
    lines = [
        f"{len(made.jobs)} tensors, {parameters:,} parameters, {made.dtype.torch_name}",
        f"reads {format_bytes(budget.input_bytes)}, writes {format_bytes(budget.output_bytes)}",
        f"peak memory about {memory}, time about {format_seconds(budget.seconds)}",
        f"config and tokenizer from {made.donor}",
    ]
    return "\n".join(lines)
