"""From raw per-sample scores to what a record says about a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.errors import ComparisonError
from bot.evaluation.score_files import Evaluation
from bot.evaluation.suite_catalog import Suite
from leaderboard.board_errors import IncomparableError
from leaderboard.record_results import Settings, SuiteResult, TaskResult
from leaderboard.sample_scores import TaskScores
from leaderboard.statistics.headline import headline
from leaderboard.statistics.intervals import task_score
from leaderboard.statistics.paired_comparison import MARGIN, compare_models, select_best


def suite_result(
    suite: Suite,
    evaluations: Mapping[str, Evaluation],
    *,
    merge: str,
    parents: Sequence[str],
    margin: float = MARGIN,
) -> SuiteResult:
    """Compare a merge with each of its parents on one suite.

    Args:
        suite: the suite all of them were evaluated on.
        evaluations: the merge's and its parents' scores by model key.
        merge: the merge's key.
        parents: the parents' keys, base included; one may be the merge itself.
        margin: what may be lost and still count as kept.

    Raises:
        ComparisonError: the scores are not of the same items under the same settings.
    """
    _require_one_setting(suite, evaluations)
    weights = suite.weights()
    lower = {task.name: task.lower_bound for task in suite.tasks} if suite.data.normalised else None
    scores = {key: evaluation.task_scores for key, evaluation in evaluations.items()}
    try:
        comparisons = tuple(
            compare_models(
                scores[merge],
                scores[parent],
                parent_key=parent,
                weights=weights,
                lower_bounds=lower,
                margin=margin,
                same_weights=parent == merge,
            )
            for parent in parents
        )
        selection = select_best(scores, comparisons, weights=weights, lower_bounds=lower)
        heads = {
            key: headline(one, weights=weights, lower_bounds=lower) for key, one in scores.items()
        }
    except IncomparableError as refused:
        raise _comparison_error(suite, refused) from refused
    return SuiteResult(
        suite=suite.name,
        version=suite.data.version,
        digest=suite.digest,
        split=suite.data.split,
        title=suite.data.title,
        settings=_settings(evaluations[merge]),
        tasks=tuple(_task(suite, name, scores, weights) for name in scores[merge]),
        headline=heads,
        comparisons=comparisons,
        selection=selection,
        normalised=suite.data.normalised,
        datasets={one.repo: one.revision for one in suite.fetched() if one.revision},
        plain_prompts=_plain_prompts(evaluations),
        local=suite.data.local,
        show_samples=suite.data.publish_samples,
    )


def _plain_prompts(evaluations: Mapping[str, Evaluation]) -> tuple[str, ...]:
    """The keys of models without a chat template where prompts are put into one."""
    return tuple(
        key
        for key, evaluation in evaluations.items()
        if evaluation.settings.apply_chat_template and not evaluation.templated
    )


def _comparison_error(suite: Suite, refused: IncomparableError) -> ComparisonError:
    return ComparisonError(f"suite {suite.name}: {refused.message}", hint=refused.hint)


def _require_one_setting(suite: Suite, evaluations: Mapping[str, Evaluation]) -> None:
    settings = {str(evaluation.settings.as_dict()) for evaluation in evaluations.values()}
    versions = {str(sorted(evaluation.versions.items())) for evaluation in evaluations.values()}
    if len(settings) > 1 or len(versions) > 1:
        raise ComparisonError(
            f"suite {suite.name}: the models were not evaluated under the same settings",
            hint="evaluate them again in one run",
        )


def _task(
    suite: Suite,
    name: str,
    scores: Mapping[str, Mapping[str, TaskScores]],
    weights: Mapping[str, float],
) -> TaskResult:
    spec = next(task for task in suite.tasks if task.name == name)
    found = {key: tasks[name] for key, tasks in scores.items()}
    return TaskResult(
        task=name,
        title=spec.title,
        metric=spec.metric,
        n=max(len(value) for value in found.values()),
        lower_bound=spec.lower_bound,
        weight=weights[name],
        group=spec.group,
        scores={key: task_score(value) for key, value in found.items()},
    )


def _settings(evaluation: Evaluation) -> Settings:
    said = evaluation.settings
    return Settings(
        backend=said.backend,
        dtype=said.dtype,
        device=said.device,
        batch_size=said.batch_size,
        max_length=said.max_length,
        chat_template=said.apply_chat_template,
        seeds=dict(said.seeds),
        limit=said.limit,
    )
