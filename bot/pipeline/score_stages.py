"""The stages ``evaluate`` and ``compare``: scores of a merge and its parents, compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import EvaluationError
from bot.evaluation.evaluate_models import Model, evaluate_all
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.score_files import Evaluation, read_evaluation
from bot.events import Event
from bot.pipeline.json_formats import COMPARISON, EVALUATIONS, read_document, write_document
from bot.pipeline.run_folder import RunFolder
from bot.recipe.canonical import canonical_json
from leaderboard.record import SuiteResult

EVALUATIONS_FILE = "evaluations.json"
COMPARISON_FILE = "comparison.json"


@dataclass(frozen=True)
class EvaluateStage:
    """The merge and all of its parents are scored under the same settings.

    A run that is on the board has nothing left to score. Each task is kept as it ends, so a killed
    stage goes on with the task it was at.
    """

    name: str = "evaluate"
    needs: tuple[str, ...] = ("check",)
    events: tuple[str, ...] = ("fetch", "evaluate")

    def key(self, run: RunFolder) -> str:
        """The run key and the batch size and device asked for."""
        asked = [run.run_key, run.settings.engine.device, run.settings.batch_size]
        return hashlib.sha256(canonical_json(asked).encode()).hexdigest()

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """Which evaluations belong to the run; they lie in the workspace under their own keys."""
        return (run.folder / EVALUATIONS_FILE,)

    def is_done(self, run: RunFolder) -> bool:
        """Whether every evaluation that the run names is there."""
        return run.recorded() is not None or kept_evaluations(run, self.key(run)) is not None

    def execute(self, run: RunFolder) -> None:
        """Evaluate what is not evaluated yet.

        Raises:
            EvaluationError: a suite could not be run; finished tasks are kept.
        """
        models = models_of(run)
        rows = []
        for suite in run.suites:
            settings = Settings.of(
                suite, device=run.settings.engine.device, batch_size=run.settings.batch_size
            )
            store = run.workspace.evaluations
            found = evaluate_all(models, suite, settings, store=store, report=run.report)
            keys = {digest: evaluation.key for digest, evaluation in found.items()}
            rows.append({"suite": suite.name, "digest": suite.digest, "evaluations": keys})
        content = {"key": self.key(run), "model_digest": run.model_digest, "suites": rows}
        write_document(run.folder / EVALUATIONS_FILE, EVALUATIONS, content)


@dataclass(frozen=True)
class CompareStage:
    """The merge is compared with each parent, item by item."""

    name: str = "compare"
    needs: tuple[str, ...] = ("evaluate",)
    events: tuple[str, ...] = ("compare",)

    def key(self, run: RunFolder) -> str:
        """A digest of the evaluations that are compared."""
        named = read_document(run.folder / EVALUATIONS_FILE, EVALUATIONS)
        return hashlib.sha256(canonical_json(named).encode()).hexdigest()

    def leaves(self, run: RunFolder) -> tuple[Path, ...]:
        """The results by suite."""
        return (run.folder / COMPARISON_FILE,)

    def is_done(self, run: RunFolder) -> bool:
        """Whether these very evaluations have been compared."""
        return run.recorded() is not None or kept_comparison(run) is not None

    def execute(self, run: RunFolder) -> None:
        """Compare.

        Raises:
            ComparisonError: the scores are not of the same items under the same settings.
        """
        from bot.lineage.suite_result import suite_result  # SciPy: a second before it is needed

        kept = kept_evaluations(run, EvaluateStage().key(run))
        if kept is None:
            raise EvaluationError(
                f"the scores of the run in {run.folder} are not there",
                hint=f"mergebot stage {run.folder} evaluate",
            )
        parents = list(dict.fromkeys(one.digest for one in run.parents.parents.values()))
        results = []
        for suite in run.suites:
            run.report(Event("compare", "start", item=suite.name))
            found = kept[suite.name]
            results.append(suite_result(suite, found, merge=run.model_digest, parents=parents))
            run.report(Event("compare", "end", item=f"{suite.name}: {len(parents)} parents"))
        content = {
            "key": self.key(run),
            "suites": [result.model_dump(mode="json") for result in results],
        }
        write_document(run.folder / COMPARISON_FILE, COMPARISON, content)


def models_of(run: RunFolder) -> Sequence[Model]:
    """The merge and its parents as evaluation takes them.

    Raises:
        EvaluationError: a parent exists only as a base with an adapter.
    """
    name = run.recipe.about.name or Path(run.recipe.file).stem
    models = [Model(name=name, path=run.model, digest=run.model_digest)]
    for key, parent in run.parents.parents.items():
        if parent.folder is None:
            raise EvaluationError(
                f"{key} exists only as a base with an adapter and cannot be evaluated as it is",
                hint="merge the adapter into its base with a passthrough recipe, and name the "
                "result",
            )
        models.append(Model(name=key, path=parent.folder, digest=parent.digest))
    return models


def kept_evaluations(run: RunFolder, key: str) -> dict[str, dict[str, Evaluation]] | None:
    """The run's evaluations by suite and model digest; None unless all of them are there."""
    named = read_document(run.folder / EVALUATIONS_FILE, EVALUATIONS)
    if named is None or named.get("key") != key or named.get("model_digest") != run.model_digest:
        return None
    wanted = {model.digest for model in models_of(run)}
    found: dict[str, dict[str, Evaluation]] = {}
    for row in named["suites"]:
        evaluations = _evaluations(run, row)
        if evaluations.keys() != wanted:
            return None
        found[row["suite"]] = evaluations
    return found if found.keys() == {suite.name for suite in run.suites} else None


def _evaluations(run: RunFolder, row: Mapping[str, Any]) -> dict[str, Evaluation]:
    found = {
        digest: read_evaluation(run.workspace.evaluations / key)
        for digest, key in row["evaluations"].items()
    }
    return {
        digest: evaluation
        for digest, evaluation in found.items()
        if evaluation is not None and evaluation.suite_digest == row["digest"]
    }


def kept_comparison(run: RunFolder) -> tuple[SuiteResult, ...] | None:
    """What the run's evaluations showed; None before they were compared."""
    kept = read_document(run.folder / COMPARISON_FILE, COMPARISON)
    if kept is None or kept.get("key") != CompareStage().key(run):
        return None
    return tuple(SuiteResult.model_validate(row) for row in kept["suites"])
