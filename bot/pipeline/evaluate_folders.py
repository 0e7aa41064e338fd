"""Evaluate and compare model folders that came from anywhere, without a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.checkpoint.folder_source import FolderSource
from bot.evaluation.evaluate_models import Model, evaluate_all
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.score_files import Evaluation
from bot.evaluation.suite_catalog import Suite
from bot.events import Report
from bot.lineage.suite_result import suite_result
from bot.pipeline.workspace import Workspace
from leaderboard.record_results import SuiteResult


def open_model(path: Path, workspace: Workspace) -> Model:
    """A model folder and the digest of its contents.

    Raises:
        CheckpointError: the folder is no usable checkpoint.
        RecordError: a newer mergebot made the workspace.
    """
    workspace.prepare()
    digest = FolderSource(path, digests=workspace.digests()).id
    return Model(name=path.resolve().name, path=path, digest=digest)


def evaluate(
    models: Sequence[Model],
    suite: Suite,
    workspace: Workspace,
    report: Report,
    *,
    device: str,
    batch_size: int | None,
) -> dict[str, Evaluation]:
    """Scores by model digest, from the workspace's cache where it has them.

    Raises:
        EvaluationError: the suite could not be run.
    """
    settings = Settings.of(suite, device=device, batch_size=batch_size)
    return dict(evaluate_all(models, suite, settings, store=workspace.evaluations, report=report))


def compare(
    model: Model,
    baselines: Sequence[Model],
    suite: Suite,
    workspace: Workspace,
    report: Report,
    *,
    device: str,
    batch_size: int | None,
) -> SuiteResult:
    """A model against each baseline, item by item.

    Raises:
        EvaluationError: the suite could not be run.
        ComparisonError: the scores are not of the same items.
    """
    models = [model, *baselines]
    found = evaluate(models, suite, workspace, report, device=device, batch_size=batch_size)
    parents = [baseline.digest for baseline in baselines]
    return suite_result(suite, found, merge=model.digest, parents=parents)
