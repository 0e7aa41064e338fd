"""One model on one task through lm-eval's ``evaluate``, and its answer as per-sample scores."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import lm_eval
import numpy as np

from bot.errors import EvaluationError
from bot.evaluation.backends import LoadedModel
from bot.evaluation.chat_templates import template_digest
from bot.evaluation.evaluation_settings import Settings
from bot.evaluation.lm_eval_tasks import chosen_items, seed_everything
from bot.evaluation.sample_texts import texts_of
from bot.evaluation.score_files import TaskRun
from bot.evaluation.suite_catalog import Suite
from bot.evaluation.suite_schema import TaskSpec
from leaderboard.board_errors import IncomparableError
from leaderboard.sample_scores import TaskScores

CHANGES_A_QUESTION = re.compile(
    "left truncation|truncating|failed to apply chat template|chat template name provided"
    "|no chat template is set|prompt returns empty|label index was not|non-deterministic"
    "|using first by priority|please use `max_gen_toks`",
    re.IGNORECASE,
)
"""Warnings of lm-eval after which a model is asked something else than the suite says."""


def run_task(
    lm: LoadedModel, task: Any, spec: TaskSpec, suite: Suite, settings: Settings
) -> TaskRun:
    """Score a loaded model on a loaded task; texts are stored where the suite shows its items.

    lm-eval's ``evaluate`` is called with the prepared task: ``simple_evaluate`` would reseed the
    global generators, and its sample cache ignores which model it answers for.

    Raises:
        EvaluationError: a truncated prompt, a response that is not finite, missing items, or a
            warning of lm-eval that a question was changed.
    """
    seed_everything(settings)
    task.set_fewshot_seed(settings.seeds["fewshot"])
    lm.generated = lm.capped = 0
    lm.questions.clear()
    items = chosen_items(task, spec, settings.limit)
    started = time.monotonic()
    templated = lm.template is not None
    with warnings_as_errors(spec.name):
        answer = lm_eval.evaluate(
            lm,
            {"tasks": {spec.name: task}, "groups": {}, "group_map": {}},
            samples=None if items is None else {spec.name: items},
            bootstrap_iters=0,
            log_samples=True,
            apply_chat_template=templated,
            fewshot_as_multiturn=templated and settings.few_shot_as_multiturn,
        )
    samples = [s for s in answer["samples"][spec.name] if s["filter"] == spec.filter]
    expected = len(task.eval_docs) if items is None else len(items)
    scores = _scores(spec, samples, expected, lm)
    if suite.data.publish_samples:
        scores = replace(scores, texts=texts_of(task, spec, samples))
    return TaskRun(
        scores=scores,
        questions=_questions(lm.questions if templated else scores.prompt_hashes),
        template=template_digest(lm.template),
        seconds=time.monotonic() - started,
    )


def _questions(asked: Sequence[str]) -> str:
    """sha256 over all that was asked; in plain prompts, the digests of the prompts stand for it."""
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()


@contextmanager
def warnings_as_errors(task: str) -> Iterator[None]:
    """Raise EvaluationError where lm-eval warns of something that changes a question."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if CHANGES_A_QUESTION.search(record.getMessage()):
                heard.append(record.getMessage())

    logger, listener = logging.getLogger("lm_eval"), Listener(logging.WARNING)
    level = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
    if heard:
        raise EvaluationError(
            f"task {task}: lm-eval changed a question: {heard[0][:500]}",
            hint="the model cannot be asked this suite's questions as they are",
        )


def _scores(
    spec: TaskSpec, samples: list[dict[str, Any]], expected: int, lm: LoadedModel
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
