"""``mergebot plan``: shows the tensors, memory and time of a merge, from headers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from bot.cli.hub_connection import planning
from bot.cli.options import UserPath, memory_option, threads_option
from bot.cli.output import Output, output_options
from bot.engine.diagnose import Group
from bot.format_units import format_bytes, format_seconds
from bot.machine_limits import default_memory
from bot.pipeline.forecast import as_in_its_file, diagnose_recipe, forecast
from bot.plan.budget import Resources
from bot.plan.merge_plan import Plan
from bot.plan.plan_table import describe_plan
from bot.recipe.recipe import Recipe
from bot.recipe.sweep import load_sweep


@click.command(
    epilog="""\b
Examples:
  mergebot plan recipe.yaml
  mergebot plan recipe.yaml --json | jq .budget
  mergebot plan recipe.yaml --threads 32 --memory 8GB
  mergebot plan recipe.yaml --diagnose

\b
Exit codes: 0 fits, 2 usage, 3 recipe problems, 4 the parents do not fit
(every mismatch at once), 5 a parent's files are broken, 7 not finite
(--diagnose), 11 the Hub is out of reach, 12 no access. See docs/cli.md."""
)
@click.argument("recipe", type=UserPath())
@click.option("--diagnose", is_flag=True, help="Sample the weights: how far the models differ.")
@threads_option
@memory_option
@output_options
@click.pass_obj
def plan(out: Output, recipe: Path, diagnose: bool, threads: int, memory: int | None) -> None:
    """Show every output tensor with its sources, and the memory and time needed.

    A sweep's variants are all planned; the first one's plan is shown.
    """
    variants = load_sweep(recipe)
    if diagnose:
        show_diagnosis(out, as_in_its_file(variants[0]))
        return
    usable = memory or default_memory()
    resources = Resources(threads=threads, memory=usable)
    seen = forecast(variants, planning(), resources=resources)
    made = seen.plans[0]
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
    data = described | {"variants": seen.choices, "warnings": seen.warnings}
    out.result(data, [table, "", _summary(made), *_sweep_lines(seen.choices)])
    for warning in seen.warnings:
        out.note(f"note: {warning}")
    if made.budget.peak_memory_bytes > usable:
        out.note(f"note: this merge needs more than the {format_bytes(usable)} it may use")


def show_diagnosis(out: Output, recipe: Recipe) -> None:
    """Show how far and in which directions the models differ, by layer and module."""
    found = diagnose_recipe(recipe, out.report, planning())
    out.close()
    header = ["layer", "module", "tensors", "moved", "cosine", "sign conflict", "slerp is lerp"]
    rows = [_group_cells(group, "—") for group in found.groups]
    rows += [_group_cells(group, "all") for group in found.modules]
    table = out.table(rows, header, right=[0, 2, 3, 4, 5, 6])
    out.result(asdict(found), [table, "", *found.reading])


def _group_cells(group: Group, outside: str) -> list[str]:
    layer = outside if group.layer is None else str(group.layer)
    cosine = "—" if group.cosine is None else f"{group.cosine:.3f}"
    shares = [_percent(value) for value in (group.delta, group.conflict, group.lerp)]
    return [layer, group.module, str(group.tensors), shares[0], cosine, *shares[1:]]


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.1f} %"


def _sweep_lines(choices: Sequence[Mapping[str, object]]) -> list[str]:
    """Of a sweep: how many variants there are beside the one shown, and what they differ in."""
    if not choices:
        return []
    lines = ["", f"the first of a sweep's {len(choices)} variants; they differ in"]
    for where in choices[0]:
        values = dict.fromkeys(str(chosen[where]) for chosen in choices)
        lines.append(f"  {where}: {', '.join(values)}")
    return lines


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
        f"peak memory about {memory}, time up to about {format_seconds(budget.seconds)}",
        f"config and tokenizer from {made.config_source}",
    ]
    return "\n".join(lines)
