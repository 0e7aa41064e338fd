"""The child process that evaluates models: ``python -m bot.evaluation.evaluation_child FILE``.

It holds no token, reads its whole task from the request file, evaluates the models one after
another (so that torch and lm-eval are imported once), writes every task's scores as soon as they
are known, and tells its parent how far it is as JSON lines on its standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from bot.errors import MergebotError
from bot.evaluation.child_request import OUT_OF_MEMORY, Request, Subject
from bot.evaluation.score_files import read_task, write_task

SECONDS_BETWEEN_LINES = 0.2


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
    pending = {subject: _unfinished(request, subject) for subject in request.subjects}
    needed = [name for name in specs if any(name in names for names in pending.values())]
    tasks = {name: load_task(specs[name], request.suite, request.settings) for name in needed}
    items = {
        name: len(chosen_items(task, specs[name], request.settings.limit) or task.eval_docs)
        for name, task in tasks.items()
    }
    total = sum(items[name] for names in pending.values() for name in names)
    meter = _Meter(channel, total)
    for subject, names in pending.items():
        if names:
            _evaluate_model(request, subject, {name: tasks[name] for name in names}, items, meter)
            channel.send(kind="note", item=f"{subject.name} is evaluated")


def _evaluate_model(
    request: Request, subject: Subject, tasks: dict[str, Any], items: dict[str, int], meter: _Meter
) -> None:
    from bot.evaluation.harness import run_task
    from bot.evaluation.language_model import CheckedLM

    specs = {spec.name: spec for spec in request.suite.tasks}
    try:
        lm = CheckedLM(subject.path, request.settings, meter.progress)
        for name, task in tasks.items():
            meter.begin(f"{subject.name}: {name}", items[name])
            started = time.monotonic()
            scores = run_task(lm, task, specs[name], request.suite, request.settings)
            write_task(subject.folder, scores, seconds=time.monotonic() - started)
            meter.end()
        lm.release()
    except MergebotError as error:
        raise type(error)(f"{subject.name}: {error.message}", hint=error.hint) from error


def _unfinished(request: Request, subject: Subject) -> list[str]:
    return [
        spec.name for spec in request.suite.tasks if read_task(subject.folder, spec.name) is None
    ]


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory, the device's or the machine's, ran out."""
    text = str(error).lower()
    signs = ("out of memory", "not enough memory", "allocate memory")
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
