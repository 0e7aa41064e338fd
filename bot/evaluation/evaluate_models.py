"""Evaluates a merge and its parents under one set of settings; stored scores are used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import EvaluationError
from bot.evaluation.backends import find_backend
from bot.evaluation.batch_fallback import halved, is_too_large, note_too_large
from bot.evaluation.child_process import STAGE, Child, OutOfMemoryError
from bot.evaluation.child_request import Request, Subject
from bot.evaluation.dataset_access import require_data
from bot.evaluation.evaluation_settings import (
    Settings,
    eval_key,
    require_device,
    require_pinned,
    versions,
)
from bot.evaluation.score_files import Evaluation, read_evaluation, write_manifest
from bot.evaluation.suite_catalog import Suite
from bot.events import Event, Report, silent


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model folder and the digest of what is in it; ``name`` is for messages."""

    name: str
    path: Path
    digest: str


def evaluate_all(
    models: Sequence[Model],
    suite: Suite,
    settings: Settings,
    *,
    store: Path,
    report: Report = silent,
    child: Child = Child(),  # noqa: B008 (frozen)
) -> Mapping[str, Evaluation]:
    """Evaluate several models under identical settings, by model digest.

    Scores in the store are used again. The other models run in one child process, one after
    another. Where the batch does not fit into memory, it is halved for all models alike, those
    with a result at the larger size included.

    Args:
        models: the merge and its parents; the same digest twice counts once.
        suite: the tasks.
        settings: of all of them.
        store: a folder, ``<store>/<eval_key>/`` per model.
        report: called with the items done out of all items to do.
        child: how the evaluation process is started.

    Raises:
        EvaluationError: a model or a dataset is broken or missing, or one item does not fit into
            memory. Finished tasks are stored, and a later call continues from there.
        EnvironmentMissingError: lm-eval is missing or not of the suite's version, or the device
            cannot be used.
        UsageError: there is no such device or backend.
    """
    find_backend(settings.backend)
    require_pinned(suite)
    require_device(settings.device)
    require_data(suite)
    distinct = {model.digest: model for model in models}
    while True:
        found = _kept(distinct, suite, settings, store)
        if len(found) == len(distinct):
            _require_same_questions(distinct, found)
            return {digest: found[digest] for digest in distinct}
        missing = [model for digest, model in distinct.items() if digest not in found]
        folders = [store / eval_key(model.digest, suite, settings) for model in missing]
        try:
            if not is_too_large(folders):
                _evaluate(missing, suite, settings, store=store, report=report, child=child)
                continue
        except OutOfMemoryError as error:
            note_too_large(folders, settings)
            report(Event(STAGE, "note", item=f"out of memory: {error}"))
        settings = halved(settings)
        report(Event(STAGE, "note", item=f"batch size {settings.batch_size} for all models"))


def evaluate_model(
    model: Path,
    model_digest: str,
    suite: Suite,
    settings: Settings,
    store: Path,
    report: Report = silent,
    *,
    child: Child = Child(),  # noqa: B008 (frozen)
) -> Evaluation:
    """Evaluate one model; see `evaluate_all`."""
    subject = Model(name=model.name, path=model, digest=model_digest)
    found = evaluate_all([subject], suite, settings, store=store, report=report, child=child)
    return found[model_digest]


def _kept(
    models: Mapping[str, Model], suite: Suite, settings: Settings, store: Path
) -> dict[str, Evaluation]:
    """What the store has; an entry that does not say what its key stands for counts for nothing."""
    found = {
        digest: read_evaluation(store / eval_key(digest, suite, settings)) for digest in models
    }
    return {
        digest: evaluation
        for digest, evaluation in found.items()
        if evaluation is not None
        and evaluation.model_digest == digest
        and evaluation.suite_digest == suite.digest
        and evaluation.settings == settings
    }


def _require_same_questions(models: Mapping[str, Model], found: Mapping[str, Evaluation]) -> None:
    """Refuse models that were asked different questions, chat templates aside.

    A model with plain prompts is only compared with others of that kind here: conversations and
    plain prompts are different texts.
    """
    first: dict[tuple[bool, str], tuple[str, str]] = {}
    for digest, evaluation in found.items():
        for task, asked in evaluation.questions.items():
            name = models[digest].name
            other, expected = first.setdefault((evaluation.templated, task), (name, asked))
            if asked != expected:
                raise EvaluationError(
                    f"task {task} asked {name} other questions than {other}, chat templates aside",
                    hint="remove the evaluations of both from the workspace and run again",
                )


def _evaluate(
    models: Sequence[Model],
    suite: Suite,
    settings: Settings,
    *,
    store: Path,
    report: Report,
    child: Child,
) -> None:
    keys = {model.digest: eval_key(model.digest, suite, settings) for model in models}
    subjects = tuple(
        Subject.pending(suite, name=model.name, path=model.path, folder=store / keys[model.digest])
        for model in models
    )
    names = ", ".join(model.name for model in models)
    report(Event(STAGE, "start", "items", item=f"{suite.name}: {names}"))
    request = Request(suite=suite, settings=settings, subjects=subjects)
    child.run(request, report=report)
    for model in models:
        write_manifest(
            store / keys[model.digest], key=keys[model.digest], model_digest=model.digest,
            suite=suite, settings=settings, versions=versions(settings.backend),
        )  # fmt: skip
    if unfinished := [m.name for m in models if read_evaluation(store / keys[m.digest]) is None]:
        raise EvaluationError(f"no scores came back for {', '.join(unfinished)}")
    report(Event(STAGE, "end", item=suite.name))
