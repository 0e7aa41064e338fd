"""Evaluates a merge and its parents under one set of settings, and keeps what is known already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import EvaluationError
from bot.evaluation.child_process import STAGE, Child, OutOfMemoryError
from bot.evaluation.child_request import Request, Subject
from bot.evaluation.evaluation_settings import (
    Settings,
    eval_key,
    require_device,
    require_pinned,
    versions,
)
from bot.evaluation.score_files import Evaluation, read_evaluation, write_manifest, write_whole
from bot.evaluation.suite_catalog import Suite
from bot.events import Event, Report, silent

_TOO_BIG = "out_of_memory.json"


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

    What the store has is not run again. All the rest runs in one child process, one model after
    another. Where the batch does not fit into memory it is halved for all of them alike, those
    with a result at the larger size included.

    Args:
        models: the merge and its parents; the same digest twice counts once.
        suite: the tasks.
        settings: of all of them.
        store: a folder, ``<store>/<eval_key>/`` per model.
        report: told the items done out of all items to do.
        child: how the evaluation process is started.

    Raises:
        EvaluationError: a model or a dataset is broken or missing, or one item does not fit into
            memory. Finished tasks are kept and a later call goes on from there.
        EnvironmentMissingError: lm-eval is missing or not of the suite's version, or the device
            cannot be used.
        UsageError: there is no such device.
    """
    require_pinned(suite)
    require_device(settings.device)
    distinct = {model.digest: model for model in models}
    while True:
        found = _kept(distinct, suite, settings, store)
        if len(found) == len(distinct):
            return {digest: found[digest] for digest in distinct}
        missing = [model for digest, model in distinct.items() if digest not in found]
        try:
            if not _known_too_big(missing, suite, settings, store):
                _evaluate(missing, suite, settings, store=store, report=report, child=child)
                continue
        except OutOfMemoryError as error:
            _note_too_big(missing, suite, settings, store)
            report(Event(STAGE, "note", item=f"out of memory: {error}"))
        settings = _halved(settings)
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
        Subject(name=model.name, path=model.path, folder=store / keys[model.digest])
        for model in models
    )
    names = ", ".join(model.name for model in models)
    report(Event(STAGE, "start", "items", item=f"{suite.name}: {names}"))
    request = Request(suite=suite, settings=settings, subjects=subjects)
    child.run(request, cache=store / "datasets" / suite.digest[:32], report=report)
    for model in models:
        write_manifest(
            store / keys[model.digest], key=keys[model.digest], model_digest=model.digest,
            suite=suite, settings=settings, versions=versions(),
        )  # fmt: skip
    if unfinished := [m.name for m in models if read_evaluation(store / keys[m.digest]) is None]:
        raise EvaluationError(f"no scores came back for {', '.join(unfinished)}")
    report(Event(STAGE, "end", item=suite.name))


def _halved(settings: Settings) -> Settings:
    if settings.batch_size == 1:
        raise EvaluationError(
            "even a single item does not fit into memory",
            hint="use a larger machine, a smaller dtype or a suite with a smaller max_length",
        )
    return settings.halved()


def _too_big(models: Sequence[Model], suite: Suite, settings: Settings, store: Path) -> list[Path]:
    return [store / eval_key(model.digest, suite, settings) / _TOO_BIG for model in models]


def _known_too_big(models: Sequence[Model], suite: Suite, settings: Settings, store: Path) -> bool:
    return any(note.exists() for note in _too_big(models, suite, settings, store))


def _note_too_big(models: Sequence[Model], suite: Suite, settings: Settings, store: Path) -> None:
    """Remember that these models together did not fit, so that the next run does not try again."""
    for note in _too_big(models, suite, settings, store):
        write_whole(note, {"batch_size": settings.batch_size})
