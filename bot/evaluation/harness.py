"""One model on one task through lm-eval's ``evaluate``, and its answer as per-sample scores."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jinja2
import lm_eval
import numpy as np

from bot.errors import EvaluationError
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.language_model import CheckedLM
from bot.evaluation.lm_eval_tasks import chosen_items, seed_everything
from bot.evaluation.sample_texts import texts_of
from bot.evaluation.suite_catalog import Suite
from bot.evaluation.suite_schema import TaskSpec
from leaderboard.board_errors import IncomparableError
from leaderboard.sample_scores import TaskScores


def run_task(
    lm: CheckedLM, task: Any, spec: TaskSpec, suite: Suite, settings: Settings
) -> TaskScores:
    """Score a loaded model on a loaded task; items are kept in words where the suite shows them.

    lm-eval's ``evaluate`` is called with the prepared task: ``simple_evaluate`` would reseed the
    global generators on its way, and its sample cache ignores which model it answers for.

    Raises:
        EvaluationError: a truncated prompt, a response that is not finite, or missing items.
    """
    seed_everything(settings)
    task.set_fewshot_seed(settings.seeds["fewshot"])
    lm.generated = lm.capped = 0
    items = chosen_items(task, spec, settings.limit)
    try:
        answer = lm_eval.evaluate(
            lm,
            {"tasks": {spec.name: task}, "groups": {}, "group_map": {}},
            samples=None if items is None else {spec.name: items},
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=settings.apply_chat_template,
            fewshot_as_multiturn=settings.few_shot_as_multiturn,
        )
    except jinja2.TemplateError as error:
        raise EvaluationError(f"task {spec.name}: the chat template fails: {error}") from error
    samples = [s for s in answer["samples"][spec.name] if s["filter"] == spec.filter]
    expected = len(task.eval_docs) if items is None else len(items)
    scores = _scores(spec, samples, expected, lm)
    if not suite.data.publish_samples:
        return scores
    return replace(scores, texts=texts_of(task, spec, samples))


def _scores(
    spec: TaskSpec, samples: list[dict[str, Any]], expected: int, lm: CheckedLM
) -> TaskScores:
    """The scores in the order of the items, into which the samples are put."""
    if len(samples) != expected:
        raise EvaluationError(
            f"task {spec.name}: {len(samples)} of {expected} items were scored "
            f"under the filter {spec.filter!r}"
        )
    samples.sort(key=lambda sample: sample["doc_id"])
    for sample in samples:
        _refuse_non_finite(spec.name, sample)
    values = [_value(spec, sample) for sample in samples]
    try:
        return TaskScores(
            task=spec.name,
            metric=spec.metric,
            binary=spec.binary,
            doc_ids=tuple(sample["doc_id"] for sample in samples),
            doc_hashes=tuple(sample["doc_hash"] for sample in samples),
            target_hashes=tuple(sample["target_hash"] for sample in samples),
            prompt_hashes=tuple(sample["prompt_hash"] for sample in samples),
            scores=np.array(values, dtype=np.float64),
            clusters=_clusters(spec, samples),
            capped=lm.capped / lm.generated if lm.generated else None,
        )
    except IncomparableError as error:
        raise EvaluationError(error.message, hint=error.hint) from error


def _value(spec: TaskSpec, sample: Mapping[str, Any]) -> float:
    value = sample.get(spec.metric)
    if not isinstance(value, bool | int | float | np.number):
        raise EvaluationError(
            f"task {spec.name} gives no single number named {spec.metric!r} per item; "
            f"it has {', '.join(sample['metrics'])}"
        )
    return float(value)


def _refuse_non_finite(task: str, sample: Mapping[str, Any]) -> None:
    for responses in sample["resps"]:
        for response in responses:
            number = response[0] if isinstance(response, tuple | list) else response
            if isinstance(number, float) and not math.isfinite(number):
                raise EvaluationError(
                    f"task {task}, item {sample['doc_id']}: the model answers {number}",
                    hint="check its weights for NaN and infinity",
                )


def _clusters(spec: TaskSpec, samples: list[dict[str, Any]]) -> tuple[str, ...] | None:
    if spec.cluster is None:
        return None
    return tuple(
        hashlib.sha256(str(sample["doc"][spec.cluster]).encode()).hexdigest()[:16]
        for sample in samples
    )
