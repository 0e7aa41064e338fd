"""The child process that evaluates models: ``python -m bot.evaluation.evaluation_child FILE``.

It holds no token and has no network. It reads what to do from the request file, evaluates the
models one after another (so that torch and lm-eval are imported once), and sends progress and the
scores of each finished task to its parent as JSON lines on its standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from bot.errors import EvaluationError, MergebotError
from bot.evaluation.backends import find_backend
from bot.evaluation.child_request import OUT_OF_MEMORY, Request, Subject
from bot.evaluation.score_files import TaskRun

SECONDS_BETWEEN_LINES = 0.2
_LONGEST_CAUSE = 2000


class _Channel:
    """JSON lines to the parent; everything else that is printed goes to the error stream."""

    def __init__(self) -> None:
        self._lines: IO[str] = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        os.dup2(2, 1)

    def send(self, **message: Any) -> None:
        self._lines.write(json.dumps(message) + "\n")


class _Meter:
    """Turns finished requests into finished items over all models and tasks."""

    def __init__(self, channel: _Channel, total: int) -> None:
        self._channel = channel
        self._total = total
        self._before = self._items = 0
        self._name = ""
        self._last = 0.0

    def begin(self, name: str, items: int) -> None:
        self._name, self._items = name, items
        self._send(self._before)

    def progress(self, done: int, total: int) -> None:
        if time.monotonic() - self._last > SECONDS_BETWEEN_LINES:
            self._send(self._before + self._items * done // max(total, 1))

    def end(self) -> None:
        self._before += self._items
        self._send(self._before)

    def _send(self, done: int) -> None:
        self._last = time.monotonic()
        self._channel.send(kind="progress", done=done, total=self._total, item=self._name)


def main(arguments: Sequence[str]) -> int:
    """Do what the request says. Returns 0, or the exit code of the error that was reported."""
    channel = _Channel()
    request = Request.read(Path(arguments[0]))
    try:
        _evaluate(request, channel)
    except BrokenPipeError:
        return 1  # the parent is gone; finished tasks are on disk
    except MergebotError as error:
        channel.send(kind="error", message=error.message, hint=error.hint, code=error.exit_code)
        return error.exit_code
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        channel.send(kind="out_of_memory", message=str(error).partition("\n")[0])
        return OUT_OF_MEMORY
    return 0


def _evaluate(request: Request, channel: _Channel) -> None:
    from bot.evaluation.lm_eval_tasks import chosen_items, load_task

    specs = {spec.name: spec for spec in request.suite.tasks}
    needed = [name for name in specs if any(name in each.tasks for each in request.subjects)]
    tasks = {name: load_task(specs[name], request.suite, request.settings) for name in needed}
    items = {
        name: len(chosen_items(task, specs[name], request.settings.limit) or task.eval_docs)
        for name, task in tasks.items()
    }
    total = sum(items[name] for subject in request.subjects for name in subject.tasks)
    meter = _Meter(channel, total)
    for number, subject in enumerate(request.subjects):
        if not subject.tasks:
            continue
        chosen = {name: tasks[name] for name in subject.tasks}
        for run in _evaluate_model(request, subject, chosen, items, meter):
            channel.send(kind="scores", subject=number, run=run.as_dict())
            meter.end()
        channel.send(kind="note", item=f"{subject.name} is evaluated")


def _evaluate_model(
    request: Request, subject: Subject, tasks: dict[str, Any], items: dict[str, int], meter: _Meter
) -> Iterator[TaskRun]:
    """What each task gave for one model, as it is known."""
    from bot.evaluation.harness import run_task

    specs = {spec.name: spec for spec in request.suite.tasks}
    running = "loading"
    try:
        load = find_backend(request.settings.backend).loader()
        lm = load(subject.path, request.settings, meter.progress)
        for name, task in tasks.items():
            running = name
            meter.begin(f"{subject.name}: {name}", items[name])
            yield run_task(lm, task, specs[name], request.suite, request.settings)
        lm.release()
    except MergebotError as error:
        raise type(error)(f"{subject.name}: {error.message}", hint=error.hint) from error
    except (MemoryError, GeneratorExit):
        raise
    except Exception as error:  # an untrusted model can raise anything while it computes
        if is_out_of_memory(error):
            raise
        traceback.print_exc()
        raise EvaluationError(
            f"{subject.name}: {running} fails: {type(error).__name__}: {error}"[:_LONGEST_CAUSE],
            hint="the model's files are inconsistent, or a package does not support it",
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory, the device's or the machine's, ran out."""
    text = str(error).lower()
    signs = ("out of memory", "not enough memory", "allocate memory")
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
