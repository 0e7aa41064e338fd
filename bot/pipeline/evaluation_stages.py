"""The stages between weights and a verdict: the gate, the evaluation, the paired comparison."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bot.check.checks import PROMPTS, CheckReport, check_model
from bot.checkpoint.folder_source import FolderSource
from bot.errors import CheckFailedError, CheckpointError, EvaluationError
from bot.evaluation.evaluate_models import Model, evaluate_all
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.suite_catalog import Suite
from bot.events import Event, Report
from bot.lineage.suite_result import suite_result
from bot.pipeline.merging import Merged
from bot.pipeline.parents import Family
from bot.pipeline.workspace import Workspace, read_json, write_json
from leaderboard.record import SuiteResult

CHECKS_FILE = "checks.json"


def check(merged: Merged, family: Family, suites: Sequence[Suite], report: Report) -> CheckReport:
    """Let the merge through the gate, once per model digest.

    Raises:
        CheckFailedError: a hard check failed; names the tensor or token.
    """
    found = _kept(merged)
    if found is None:
        parents = [origin.folder for origin in family.origins.values() if origin.folder]
        prompts = [prompt for suite in suites for prompt in suite.data.example_prompts]
        found = check_model(merged.model, parents, prompts=prompts or PROMPTS, report=report)
        rows = [row.model_dump(mode="json") for row in found.checks]
        write_json(merged.place / CHECKS_FILE, {"model_digest": merged.digest, "checks": rows})
    found.require()
    return found


def _kept(merged: Merged) -> CheckReport | None:
    """What the gate found earlier about these very weights; None where that cannot be read."""
    kept = read_json(merged.place / CHECKS_FILE) or {}
    if kept.get("model_digest") != merged.digest:
        return None
    with suppress(CheckFailedError):
        found = CheckReport.from_json(json.dumps(kept))
        return found if found.checks else None  # an empty report would let anything pass
    return None


def require_unchanged(merged: Merged) -> None:
    """Refuse to test or score files that are not what the merge made.

    Raises:
        CheckpointError: something has changed them since.
    """
    if FolderSource(merged.model).id != merged.digest:
        raise CheckpointError(
            f"{merged.model} is not what the merge made: its files were changed since",
            hint="remove that folder and run the recipe again; scores are kept",
        )


def compare(
    name: str,
    merged: Merged,
    family: Family,
    suites: Sequence[Suite],
    workspace: Workspace,
    report: Report,
    *,
    device: str = "cpu",
    batch_size: int | None = None,
) -> tuple[SuiteResult, ...]:
    """Evaluate the merge and all of its parents alike, and compare them pairwise.

    Raises:
        EvaluationError: a suite could not be run; finished tasks are kept.
        ComparisonError: the scores are not comparable.
    """
    models = [Model(name=name, path=merged.model, digest=merged.digest)]
    for key, origin in family.origins.items():
        models.append(Model(name=key, path=_folder(key, origin.folder), digest=origin.digest))
    parents = list(dict.fromkeys(origin.digest for origin in family.origins.values()))
    results = []
    for suite in suites:
        settings = Settings.of(suite, device=device, batch_size=batch_size)
        found = evaluate_all(models, suite, settings, store=workspace.evaluations, report=report)
        report(Event("compare", "start", item=suite.name))
        results.append(suite_result(suite, found, merge=merged.digest, parents=parents))
        report(Event("compare", "end", item=f"{suite.name}: {len(parents)} parents"))
    return tuple(results)


def _folder(key: str, folder: Path | None) -> Path:
    if folder is None:
        raise EvaluationError(
            f"{key} exists only as a base with an adapter and cannot be evaluated as it is",
            hint="merge the adapter into its base with a passthrough recipe, and name the result",
        )
    return folder
