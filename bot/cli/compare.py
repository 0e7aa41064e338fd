"""``mergebot compare``: is one model better than others, tested on the same items."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from bot.cli.options import UserPath, evaluation_options, workspace_option
from bot.cli.output import Output, output_options
from bot.cli.suites import load_suites
from bot.errors import UsageError
from bot.evaluation.evaluate_models import Model
from bot.pipeline.evaluate_folders import compare as compare_models
from bot.pipeline.evaluate_folders import open_model
from bot.pipeline.workspace import Workspace
from leaderboard.number_format import interval, p_value, points, signed
from leaderboard.record_results import SuiteResult
from leaderboard.verdict import judge_suite, sentence


@click.command(
    epilog="""\b
Examples:
  mergebot compare ./merged --baseline ./parent-a --baseline ./parent-b \\
      --suite skills

\b
Exit codes: 0 compared (whatever the verdict), 2 usage, 5 not a usable model,
6 disk, 9 the suite could not be run, 10 not comparable, 11 the Hub, 12 no
access, 14 missing extra or device, 130 interrupted. See docs/cli.md."""
)
@click.argument("model", type=UserPath())
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    required=True,
    type=UserPath(),
    help="Model to compare with; may be given several times.",
)
@evaluation_options
@workspace_option
@output_options
@click.pass_obj
def compare(
    out: Output,
    model: Path,
    baselines: tuple[Path, ...],
    suite_names: tuple[str, ...],
    batch_size: int | None,
    datasets: Path | None,
    chat_template: str | None,
    device: str,
    workspace: Path,
) -> None:
    """Compare MODEL with each --baseline, item by item."""
    place = Workspace(workspace)
    opened = open_model(model, place)
    others = [open_model(path, place) for path in baselines]
    for path, other in zip(baselines, others, strict=True):
        if other.digest == opened.digest:
            raise UsageError(
                f"{path} and {model} are the same model, byte for byte",
                hint="name a baseline that differs from it",
            )
    results = [
        compare_models(
            opened,
            others,
            suite,
            place,
            out.report,
            device=device,
            batch_size=batch_size,
        )
        for suite in load_suites(
            suite_names,
            datasets,
            workspace=workspace,
            report=out.report,
            chat_template=chat_template,
        )
    ]
    out.close()
    names = {other.digest: other.name for other in others}
    parts: list[str | Table] = []
    for result in results:
        rows = comparison_rows(result, opened, names)
        header = ["task", opened.name, "against", "score", "difference", "95 % interval", "p"]
        detail = judge_suite(result, names)
        verdict = sentence(detail, opened.name)
        parts += [out.table(rows, header, right=[1, 3, 4]), "", f"{result.suite}: {verdict}"]
        parts += [f"  {note}" for note in detail.notes]
    out.result([result.model_dump(mode="json") for result in results], parts)


def comparison_rows(result: SuiteResult, model: Model, names: dict[str, str]) -> list[list[str]]:
    """A row per task and baseline, the mean last."""
    scores = {task.task: task.scores for task in result.tasks}
    rows = []
    for found in result.comparisons:
        for row in found.tasks:
            ours, theirs = scores[row.task][model.digest], scores[row.task][found.parent]
            cells = [points(ours.value), names[found.parent], points(theirs.value)]
            evidence = [signed(row.delta), interval(row.low, row.high), p_value(row.p_two_sided)]
            rows.append([row.task, *cells, *evidence])
        mine, other = result.headline[model.digest], result.headline[found.parent]
        whole = found.overall
        cells = [points(mine.value), names[found.parent], points(other.value)]
        span, p = interval(whole.low, whole.high), p_value(whole.p_two_sided)
        rows.append(["mean", *cells, signed(whole.delta), span, p])
    return rows
