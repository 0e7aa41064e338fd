"""What a model was asked, what was expected and what it answered, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lm_eval.api.task import ConfigurableTask

from bot.evaluation.suite_schema import TaskSpec
from leaderboard.item_texts import ItemTexts, shortened

CHOICE = "multiple_choice"
WITH_ANSWERS = {"generate_until", CHOICE}


def texts_of(task: Any, spec: TaskSpec, samples: Sequence[Mapping[str, Any]]) -> ItemTexts | None:
    """The texts of lm-eval's logged samples, None where a task's answers are no texts.

    The question is the item without examples and chat template. The answer is what the
    score was given for: the text after the task's filter, or the choice the metric took.
    """
    if not isinstance(task, ConfigurableTask) or task.OUTPUT_TYPE not in WITH_ANSWERS:
        return None
    texts = [_texts(task, spec, sample) for sample in samples]
    questions, expected, answers = zip(*texts, strict=True)
    return ItemTexts(questions=questions, expected=expected, answers=answers)


def _texts(
    task: ConfigurableTask, spec: TaskSpec, sample: Mapping[str, Any]
) -> tuple[str, str, str]:
    question, target = task.doc_to_text(sample["doc"]), sample["target"]
    if task.OUTPUT_TYPE != CHOICE:
        # A bare number in the task file is no answer: the task's own code decides.
        expected = "" if isinstance(task.config.doc_to_target, int) else _listed(target)
        return _short(question), _short(expected), _short(sample["filtered_resps"][0])
    if task.multiple_input:  # the choices are beginnings, and the target is how all of them end
        question, target = target, question
    choices = task.doc_to_choice(sample["doc"])
    wanted = _listed(target, choices)
    return _short(question), _short(wanted), _short(_chosen(choices, spec.metric, sample))


def _chosen(choices: Sequence[str], metric: str, sample: Mapping[str, Any]) -> str:
    """The likeliest choice, by the length that the metric divides by."""
    likelihoods = [float(response[0]) for response in sample["filtered_resps"][: len(choices)]]
    lengths = {
        "acc_norm": [len(choice) for choice in choices],
        "acc_bytes": [len(choice.encode()) for choice in choices],
    }.get(metric, [1] * len(choices))
    return choices[int(np.argmax(np.array(likelihoods) / lengths))]


def _listed(target: Any, choices: Sequence[str] = ()) -> str:
    """One right answer or several; positions become the choices they stand for."""
    several = target if isinstance(target, list | tuple) else [target]
    return " or ".join(
        choices[one] if isinstance(one, int) and 0 <= one < len(choices) else str(one)
        for one in several
    )


def _short(text: Any) -> str:
    return shortened(str(text))
