"""``mergebot evaluate``: one model on one or more suites."""

from __future__ import annotations

from pathlib import Path

import click

from bot.cli.options import UserPath, evaluation_options, workspace_option
from bot.cli.output import Output, output_options
from bot.cli.suites import load_suites
from bot.pipeline.evaluate_folders import evaluate as evaluate_models
from bot.pipeline.evaluate_folders import open_model
from bot.pipeline.workspace import Workspace
from leaderboard.number_format import half_width, points
from leaderboard.statistics.headline import headline
from leaderboard.statistics.intervals import task_score


@click.command(
    epilog="""\b
Examples:
  mergebot evaluate recipes/skills/models/skills-base --suite skills
  mergebot evaluate ./merged --suite quick --device cuda

Scores are stored in the workspace and never computed twice.

\b
Exit codes: 0 done, 2 usage, 5 not a usable model, 6 disk, 9 the suite could
not be run, 11 the Hub, 12 no access, 14 missing extra or device, 130
interrupted. See docs/cli.md."""
)
@click.argument("model", type=UserPath())
@evaluation_options
@workspace_option
@output_options
@click.pass_obj
def evaluate(
    out: Output,
    model: Path,
    suite_names: tuple[str, ...],
    batch_size: int | None,
    datasets: Path | None,
    chat_template: str | None,
    device: str,
    workspace: Path,
) -> None:
    """Score MODEL, a folder, on suites."""
    opened = open_model(model, Workspace(workspace))
    rows, data = [], []
    for suite in load_suites(
        suite_names, datasets, workspace=workspace, report=out.report, chat_template=chat_template
    ):
        found = evaluate_models(
            [opened], suite, Workspace(workspace), out.report, device=device, batch_size=batch_size
        )[opened.digest]
        for name, scores in found.task_scores.items():
            score = task_score(scores)
            half = half_width(score.low, score.high)
            rows.append([suite.name, name, scores.metric, len(scores), points(score.value), half])
            data.append({"suite": suite.name, "task": name, **score.model_dump(mode="json")})
        mean = headline(found.task_scores, weights=suite.weights())
        rows.append(
            [suite.name, "mean", "", "", points(mean.value), half_width(mean.low, mean.high)]
        )
        data.append({"suite": suite.name, "task": "mean", **mean.model_dump(mode="json")})
    out.close()
    out.result(data, out.table(rows, ["suite", "task", "metric", "n", "score", "±"], right=[3, 4]))
