"""``mergebot validate``: checks recipes without reading weights, and writes a pull request's
report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from bot.cli.error_report import Failure, explain
from bot.cli.hub_connection import ancestors, planning
from bot.cli.options import UserPath
from bot.cli.output import Output, output_options
from bot.errors import AccessError, MergebotError
from bot.format_units import format_bytes
from bot.lineage.ancestry import no_cards
from bot.pipeline.forecast import Forecast, forecast, load_checked
from bot.plan.merge_plan import Budget
from bot.recipe.repository_rules import require_inside
from leaderboard.render.escape import markdown

REPORT_BYTES = 512 << 10
"""GitHub takes job summaries of up to 1 MiB."""
REPORTED_PROBLEMS = 50
"""Problems of one recipe in a report."""
GATED = (
    "This check has no token, so it cannot read gated or private parents. A maintainer whose "
    "account has access must run `mergebot validate` on this file and merge the request by hand."
)


@click.command(
    epilog="""\b
Examples:
  mergebot validate my-merge.yaml
  mergebot validate recipes/skills --report report.md
  mergebot validate --schema > recipe.schema.json

\b
Exit codes: 0 all valid, 2 usage, 3 recipe problems, 4 the parents do not fit,
5 a parent's files are broken, 11 the Hub is out of reach, 12 no access; of
several recipes the first that is not valid decides. See docs/cli.md."""
)
@click.argument("recipes", nargs=-1, type=UserPath())
@click.option("--report", type=UserPath(), help="Also write Markdown for a PR.")
@click.option(
    "--inside",
    type=UserPath(folder=True, exists=True),
    help="Refuse local models outside this folder, links followed (for CI).",
)
@click.option("--offline", is_flag=True, help="Do not contact the Hub.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of recipes and stop.")
@output_options
@click.pass_obj
def validate(
    out: Output,
    recipes: tuple[Path, ...],
    report: Path | None,
    inside: Path | None,
    schema: bool,
    offline: bool,
) -> int:
    """Check recipes: grammar, parameters, suites, access to the parents, and the whole plan.

    Of parents on the Hub only headers and config files are fetched, no weights.

    Every problem is reported at once, with its line and the nearest valid name. Of a folder, every
    .yaml and .yml file in it is checked. Recipes in recipes/community must keep the rules for
    community recipes: name, license, authors and suites, and models on the Hub only.
    """
    if schema:
        text = (Path(__file__).parent.parent / "recipe/recipe.schema.json").read_text("utf-8")
        out.result(json.loads(text), text.rstrip())
        return 0
    if not recipes:
        raise click.UsageError("Which recipe? Name one or more YAML files.")
    paths = [path for named in recipes for path in _files_of(named)]
    findings = [_check(path, inside, offline=offline) for path in paths]
    if report is not None:
        report.write_text(markdown_report(findings), "utf-8")
    failures = [finding.failure for finding in findings if finding.failure is not None]
    code = failures[0].code if failures else 0
    data = {"exit_code": code, "recipes": [finding.data() for finding in findings]}
    out.result(data, [finding.text() for finding in findings if finding.failure is None])
    for finding in findings:
        for warning in finding.warnings:
            out.note(f"note: {finding.path}: {warning}")
    if not out.json:
        for failure in failures:
            out.fail(failure)
    return code


class ValidationResult:
    """The result for one recipe file: a forecast, or a failure."""

    def __init__(
        self, path: Path, seen: Forecast | None = None, failure: Failure | None = None
    ) -> None:
        self.path = path
        self.seen = seen
        self.failure = failure

    @property
    def warnings(self) -> Sequence[str]:
        """Warnings of the plan."""
        return self.seen.warnings if self.seen else ()

    def text(self) -> str:
        """One line of text."""
        return f"✔ {self.path}  {self.seen.summary if self.seen else ''}".rstrip()

    def data(self) -> dict[str, Any]:
        """The same as plain data."""
        if self.failure is not None:
            problems = [vars_of(problem) for problem in self.failure.problems]
            return {"recipe": str(self.path), "valid": False, "problems": problems}
        return {"recipe": str(self.path), "valid": True, **(self.seen.data() if self.seen else {})}


def vars_of(problem: Any) -> dict[str, Any]:
    """A problem as plain data."""
    return {name: getattr(problem, name) for name in ("message", "file", "line", "column", "hint")}


def _files_of(path: Path) -> list[Path]:
    """The recipe files of a folder, or the file itself."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
    if not found:
        raise click.UsageError(f"{path} holds no recipe: no .yaml file.")
    return found


def _check(path: Path, inside: Path | None, *, offline: bool) -> ValidationResult:
    hub, card_of = (None, no_cards) if offline else (planning(), ancestors())
    try:
        if inside is not None:
            require_inside(path, inside)
        return ValidationResult(path, seen=forecast(load_checked(path), hub, card_of))
    except MergebotError as wrong:
        return ValidationResult(path, failure=explain(wrong))
    except Exception as surprise:  # noqa: BLE001 - a bug that one recipe meets ends no other's check
        return ValidationResult(path, failure=explain(surprise))


def _cost(budget: Budget) -> str:
    reads, writes = format_bytes(budget.input_bytes), format_bytes(budget.output_bytes)
    memory = format_bytes(budget.peak_memory_bytes)
    return f"reads {reads}, writes {writes}, needs about {memory} of memory"


def markdown_report(findings: list[ValidationResult]) -> str:
    """A report for a pull request; every word of a recipe is escaped.

    Recipes with problems come first. A report that would be too long for GitHub ends in the number
    of recipes that are left out.
    """
    parts: list[str] = []
    size = 0
    for finding in sorted(findings, key=lambda finding: finding.failure is None):
        part = _recipe_report(finding)
        size += len(part.encode())
        if size > REPORT_BYTES:
            parts.append(f"{len(findings) - len(parts)} more recipes are left out.\n")
            break
        parts.append(part)
    return "\n".join(parts)


def _recipe_report(finding: ValidationResult) -> str:
    name = markdown(str(finding.path))
    if finding.failure is not None:
        return "\n".join([f"### ✕ {name}", "", *_problem_lines(finding.failure), ""])
    lines = [f"### ✔ {name}", ""]
    if finding.seen is not None:
        lines += [markdown(finding.seen.summary), ""]
        if finding.seen.budget is not None:
            lines += [_cost(finding.seen.budget), ""]
        lines += [f"- {markdown(warning)}" for warning in finding.seen.warnings]
    return "\n".join([*lines, ""])


def _problem_lines(failure: Failure) -> Iterator[str]:
    for problem in failure.problems[:REPORTED_PROBLEMS]:
        place = f"line {problem.line}: " if problem.line else ""
        hint = f" — {markdown(problem.hint)}" if problem.hint else ""
        yield f"- {place}{markdown(problem.message)}{hint}"
    more = len(failure.problems) - REPORTED_PROBLEMS
    if more > 0:
        yield f"- and {more} more"
    if failure.code == AccessError.exit_code:
        yield f"\n{GATED}"
