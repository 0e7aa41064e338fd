"""Runs the evaluation child: a private home, a short environment, and nobody left behind."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.errors import EnvironmentMissingError, EvaluationError, MergebotError, StorageError
from bot.evaluation.child_request import OUT_OF_MEMORY, Request
from bot.events import Event, Report
from bot.isolation import child_environment, stopped_at_the_end
from bot.redaction import redact

LAUNCH: tuple[str, ...] = (sys.executable, "-m", "bot.evaluation.evaluation_child")
STAGE = "evaluate"
STALL_SECONDS = 7200.0
"""A child that reports nothing for this long is taken for dead."""

LOG = "log.txt"
"""What the child wrote to its error stream, in the first model's folder of results."""

_REPORTED: Mapping[int, type[MergebotError]] = {
    kind.exit_code: kind for kind in (EvaluationError, EnvironmentMissingError, StorageError)
}


class OutOfMemoryError(Exception):
    """The batch does not fit; the whole comparison goes on with a smaller one."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """How the evaluation child is started.

    Args:
        offline: whether the network is out of bounds; then every dataset must be here. None lets
            a suite that reads from the Hub fetch, unless ``HF_HUB_OFFLINE`` is set.
        launch: the program and its first arguments; the request file follows.
        stall_seconds: without any word for this long, the child is stopped.
        environ: the environment that the child's short one is chosen from.
    """

    offline: bool | None = None
    launch: Sequence[str] = LAUNCH
    stall_seconds: float = STALL_SECONDS
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def run(self, request: Request, *, cache: Path, report: Report) -> None:
        """Evaluate; the results are in the subjects' folders afterwards.

        Args:
            request: what to do.
            cache: a folder for prepared datasets, of this suite's content only: the datasets
                library takes a rewritten file of the same size and time for the old one.
            report: told about every step.

        Raises:
            OutOfMemoryError: the batch is too big; finished tasks are kept.
            EvaluationError: anything else; finished tasks are kept.
        """
        with tempfile.TemporaryDirectory(prefix="mergebot-evaluation-") as private:
            home = Path(private)
            request.write(home / "request.json")
            environment = _environment(
                self.environ, home=home, cache=cache.resolve(), offline=self._is_offline(request)
            )
            log = request.subjects[0].folder / LOG
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as errors:
                pipe, theirs = os.pipe()
                child = subprocess.Popen(
                    [*self.launch, str(home / "request.json")],
                    stdout=theirs, stderr=errors, stdin=subprocess.DEVNULL,
                    env=environment, cwd=home, start_new_session=True,
                )  # fmt: skip
                os.close(theirs)
            last: dict[str, Any] = {}
            with stopped_at_the_end(child), os.fdopen(pipe, "rb"):
                for last in self._messages(pipe):
                    _report(last, report)
                code = child.wait()
            _judge(code, last, log)

    def _is_offline(self, request: Request) -> bool:
        if self.offline is not None:
            return self.offline
        forbidden = self.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "on", "yes", "true"}
        return forbidden or not request.suite.fetched()

    def _messages(self, pipe: int) -> Iterator[dict[str, Any]]:
        """The JSON lines of a pipe until its other end is closed."""
        buffered = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                if not selector.select(self.stall_seconds):
                    raise EvaluationError(
                        f"the evaluation said nothing for {self.stall_seconds:.0f} s and was "
                        "stopped",
                        hint="finished tasks are kept: run again to go on from there",
                    )
                block = os.read(pipe, 1 << 16)
                if not block:
                    return
                *lines, buffered = (buffered + block).split(b"\n")
                yield from (json.loads(line) for line in lines if line.startswith(b"{"))


def _environment(
    outer: Mapping[str, str], *, home: Path, cache: Path, offline: bool
) -> dict[str, str]:
    """A child's environment with the caches it reads: downloads, this suite's datasets, NLTK's."""
    user = Path(outer.get("HOME", home))
    own_home = outer.get("HF_HOME") or str(user / ".cache" / "huggingface")
    return child_environment(outer, home=home, offline=offline) | {
        "HF_HUB_CACHE": outer.get("HF_HUB_CACHE") or str(Path(own_home) / "hub"),
        "HF_DATASETS_CACHE": str(cache),
        "NLTK_DATA": outer.get("NLTK_DATA") or str(user / "nltk_data"),
    }


def _report(message: Mapping[str, Any], report: Report) -> None:
    if message["kind"] == "progress":
        report(Event(STAGE, "advance", "items", message["done"], message["total"], message["item"]))
    elif message["kind"] == "note":
        report(Event(STAGE, "note", item=message["item"]))


def _judge(code: int, last: Mapping[str, Any], log: Path) -> None:
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
            hint="finished tasks are kept: run again, with a smaller batch if memory ran out",
        )
    raise EvaluationError(
        f"the evaluation ended with exit code {code}: {_last_line(log)}",
        hint=f"all it said is in {log}; finished tasks are kept",
    )


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return redact(last)
