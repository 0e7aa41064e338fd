"""Runs the evaluation child: isolated from secrets, the network and other files, and ended after.

The child computes scores and sends them as JSON lines; this process checks and stores them.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.errors import EnvironmentMissingError, EvaluationError, MergebotError, StorageError
from bot.evaluation.child_request import OUT_OF_MEMORY, Request
from bot.evaluation.score_files import TaskRun, write_task
from bot.events import Event, Report
from bot.isolation import (
    IsolatedProcess,
    Limits,
    address_space,
    child_environment,
    crash_cause,
    create_gpu_devices,
)
from bot.redaction import redact
from leaderboard.board_errors import IncomparableError

LAUNCH: tuple[str, ...] = (sys.executable, "-m", "bot.evaluation.evaluation_child")
STAGE = "evaluate"
STALL_SECONDS = 7200.0
"""A child that reports nothing for this long is stopped."""

LOG = "log.txt"
"""What the child wrote to its error stream, in the first model's folder of results."""

_CPU_SECONDS_PER_CORE = 48 * 3600
_LARGEST_FILE = 4 << 30
_LONGEST_MESSAGE = 1 << 30
_LOGIT_BYTES = 12  # logits, their log-softmax and a copy, in float32
_LARGEST_VOCABULARY = 300_000

_REPORTED: Mapping[int, type[MergebotError]] = {
    kind.exit_code: kind for kind in (EvaluationError, EnvironmentMissingError, StorageError)
}


class OutOfMemoryError(Exception):
    """The batch does not fit; the comparison continues with a smaller one."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """How the evaluation child is started.

    Args:
        launch: the program and its first arguments; the request file follows.
        stall_seconds: without any message for this long, the child is stopped.
        environ: the environment that the child's short one is chosen from.
    """

    launch: Sequence[str] = LAUNCH
    stall_seconds: float = STALL_SECONDS
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def run(self, request: Request, *, report: Report) -> None:
        """Evaluate; afterwards the results are in the subjects' folders.

        Args:
            request: what to do.
            report: called with the progress, and with what this machine cannot protect.

        Raises:
            OutOfMemoryError: the batch is too large; finished tasks are stored.
            EvaluationError: anything else; finished tasks are stored.
        """
        log = request.subjects[0].folder / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        if request.settings.device != "cpu":
            create_gpu_devices()
        with tempfile.TemporaryDirectory(prefix="mergebot-evaluation-") as private:
            home = Path(private)
            request.write(home / "request.json")
            pipe, theirs = os.pipe()
            with (
                os.fdopen(pipe, "rb"),
                log.open("wb") as errors,
                os.fdopen(theirs, "wb") as messages,
                IsolatedProcess(
                    [*self.launch, str(home / "request.json")], home=home,
                    environment=self._environment(home), readable=self._readable(request),
                    limits=limits(request), stdout=messages, stderr=errors,
                ) as child,
            ):  # fmt: skip
                messages.close()
                for gap in child.protection.gaps:
                    report(Event(STAGE, "note", item=gap))
                last: dict[str, Any] = {}
                for last in self._messages(pipe):
                    _handle(last, request, report)
                code = child.popen.wait()
            _raise_failure(code, last, log)

    def _environment(self, home: Path) -> dict[str, str]:
        user = Path(self.environ.get("HOME", home))
        own = {"NLTK_DATA": self.environ.get("NLTK_DATA") or str(user / "nltk_data")}
        return child_environment(self.environ, home=home) | own

    def _readable(self, request: Request) -> list[Path]:
        """The models, the suite's files and the language data of a task."""
        language = self._environment(Path("/"))["NLTK_DATA"].split(os.pathsep)
        files = [*request.suite.readable(), *map(Path, language)]
        return [*(subject.path for subject in request.subjects), *files]

    def _messages(self, pipe: int) -> Iterator[dict[str, Any]]:
        """The JSON lines of a pipe until its other end is closed."""
        buffered: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if not selector.select(self.stall_seconds):
                    raise EvaluationError(
                        f"the evaluation sent nothing for {self.stall_seconds:.0f} s and was "
                        "stopped",
                        hint="finished tasks are stored; run again to continue",
                    )
                block = os.read(pipe, 1 << 16)
                if not block:
                    return
                *lines, rest = block.split(b"\n")
                if lines:
                    lines[0] = b"".join((*buffered, lines[0]))
                    buffered = []
                buffered.append(rest)
                if sum(map(len, buffered)) > _LONGEST_MESSAGE:
                    raise EvaluationError("the evaluation sent more than a gigabyte in one message")
                yield from (json.loads(line) for line in lines if line.startswith(b"{"))


def limits(request: Request) -> Limits:
    """What the child may use: memory for the largest model and a batch of logits, two days."""
    settings = request.settings
    sizes = [
        sum(file.stat().st_size for file in subject.path.glob("*.safetensors"))
        for subject in request.subjects
    ]
    logits = settings.batch_size * settings.max_length * _LARGEST_VOCABULARY * _LOGIT_BYTES
    return Limits(
        # CUDA maps far more addresses than it uses, so only a CPU process can be limited.
        memory_bytes=address_space(max(sizes), more=logits) if settings.device == "cpu" else None,
        cpu_seconds=_CPU_SECONDS_PER_CORE * (os.cpu_count() or 1),
        file_bytes=_LARGEST_FILE,
    )


def _handle(message: Mapping[str, Any], request: Request, report: Report) -> None:
    if message["kind"] == "progress":
        report(Event(STAGE, "advance", "items", message["done"], message["total"], message["item"]))
    elif message["kind"] == "note":
        report(Event(STAGE, "note", item=message["item"]))
    elif message["kind"] == "scores":
        _store(message, request)


def _store(message: Mapping[str, Any], request: Request) -> None:
    """Store scores that the child sent; they are only accepted for a task that it was given."""
    try:
        subject = request.subjects[message["subject"]]
        run = TaskRun.from_dict(message["run"])
    except (IncomparableError, KeyError, IndexError, TypeError, ValueError) as error:
        raise EvaluationError(f"the evaluation sent scores that cannot be read: {error}") from error
    if run.scores.task not in subject.tasks:
        raise EvaluationError(f"the evaluation sent scores of {run.scores.task}, not asked for")
    write_task(subject.folder, run)


def _raise_failure(code: int, last: Mapping[str, Any], log: Path) -> None:
    if code == 0:
        return
    if code == OUT_OF_MEMORY:
        raise OutOfMemoryError(last.get("message", ""))
    if last.get("kind") == "error":
        raise _REPORTED.get(last["code"], EvaluationError)(last["message"], hint=last["hint"])
    if code < 0:
        raise EvaluationError(
            f"the evaluation was killed by {signal.Signals(-code).name}"
            + (" (the system does that when memory runs out)" if code == -signal.SIGKILL else ""),
            hint="finished tasks are stored; run again, with a smaller batch if memory ran out",
        )
    cause = redact(crash_cause(log.read_text("utf-8", errors="replace")))
    raise EvaluationError(
        f"the evaluation ended with exit code {code}: {cause}",
        hint=f"its whole output is in {log}; finished tasks are stored",
    )
