"""The parent's side of the isolated process that holds one model."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.isolation import IsolatedProcess, Limits, address_space, child_environment, crash_cause
from space_app.chat.chat_backend import Finish, Piece, Request

LAUNCH = (sys.executable, "-m", "space_app.chat.model_child")
LONGEST_LINE = 1_000_000
"""Bytes of one message; the process is untrusted and could send anything."""
FINISHES: tuple[Finish, ...] = ("end", "length", "repeating", "stopped")
POLL_SECONDS = 0.2
FILE_BYTES = 64 << 20
"""The largest file that the process may write; it needs none."""


class ModelProcessError(Exception):
    """The process failed; the text is one sentence for the visitor."""


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds that the process may take.

    ``load`` is for loading, ``silence`` between two pieces of an answer, ``answer`` for a whole
    answer, ``stop`` from a stop to the end.
    """

    load: float = 900.0
    silence: float = 120.0
    answer: float = 1800.0
    stop: float = 5.0


class ModelProcess:
    """One model in an isolated process: no token, no network, a private home, limits.

    Args:
        folder: the model; nothing else of this machine's data can be opened.
        name: the model's name for messages.
        size: bytes of the model in memory, where known.
        device: ``cpu``, ``cuda`` or None for what the machine has.
        timeouts: how long it may take.
        environ: the environment that its short one is chosen from.
        launch: the program and its first arguments; the request file follows.

    Raises:
        ModelProcessError: the model cannot be loaded.
    """

    def __init__(
        self, folder: Path, *, name: str, size: int | None = None, device: str | None = None,
        timeouts: Timeouts = Timeouts(), environ: Mapping[str, str] | None = None,
        launch: Sequence[str] = LAUNCH,
    ) -> None:  # fmt: skip
        self._name = name
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._buffer = b""
        self._private = tempfile.TemporaryDirectory(prefix="mergebot-chat-")
        home = Path(self._private.name) / "home"
        home.mkdir()
        request = {"folder": str(folder.resolve()), "device": device}
        (home / "request.json").write_text(json.dumps(request), "utf-8")
        self._errors = Path(self._private.name) / "errors.txt"
        with self._errors.open("wb") as errors:
            self._process = IsolatedProcess(
                [*launch, str(home / "request.json")],
                home=home,
                environment=child_environment(environ or os.environ, home=home),
                readable=[folder],
                limits=Limits(
                    memory_bytes=None if _has_gpu(device) else address_space(size or 0),
                    file_bytes=FILE_BYTES,
                ),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        self.protection = self._process.protection
        try:
            self.has_template = self._started()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        return self._process.popen.poll() is None

    def writes_system(self, template: str | None) -> bool:
        """Whether a template, or the model's own where None, writes a system prompt.

        Raises:
            ModelProcessError: the process ended.
        """
        with self._lock:
            self._send(kind="system", template=template)
            found = self._next(time.monotonic() + self._timeouts.silence)
            return found.get("written") is True

    def answer(
        self, request: Request, template: str | None, stop: threading.Event
    ) -> Iterator[Piece]:
        """The answer piece by piece; another answer of this model is waited for.

        Raises:
            ModelProcessError: the answer failed or the process ended.
        """
        while not self._lock.acquire(timeout=POLL_SECONDS):
            if stop.is_set():
                yield Piece("", 0, "stopped")
                return
        ended = False
        try:
            self._send(
                kind="answer", messages=[turn.as_message() for turn in request.turns],
                sampling=asdict(request.sampling), template=template,
                completion=request.completion,
            )  # fmt: skip
            for piece in self._pieces(stop):
                ended = piece.finish is not None
                yield piece
            ended = True
        except ModelProcessError:
            ended = True
            raise
        finally:
            if not ended:
                self._abandon()
            self._lock.release()

    def close(self) -> None:
        """End the process; a running answer is waited for, but not for long."""
        waited = self._lock.acquire(timeout=self._timeouts.silence if self.alive else 0.0)
        try:
            self._process.stop()
            for pipe in (self._process.popen.stdin, self._process.popen.stdout):
                if pipe is not None:
                    _close(pipe)
            self._private.cleanup()
        finally:
            if waited:
                self._lock.release()

    def _started(self) -> bool:
        found = self._next(time.monotonic() + self._timeouts.load)
        if found.get("kind") != "ready":
            raise ModelProcessError(
                f"{self._name} could not be loaded: {_text(found.get('message'))}"
            )
        return found.get("template") is True

    def _pieces(self, stop: threading.Event) -> Iterator[Piece]:
        latest = time.monotonic() + self._timeouts.answer
        stopping = False
        while True:
            if stop.is_set() and not stopping:
                stopping = True
                self._send(kind="stop")
                latest = time.monotonic() + self._timeouts.stop
            silence = time.monotonic() + self._timeouts.silence
            found = self._poll(min(latest, silence), None if stopping else stop)
            if found is None and stop.is_set() and not stopping:
                continue
            if found is None and stopping:
                self._process.stop()
                yield Piece("", 0, "stopped")
                return
            if found is None:
                self._process.stop()
                raise ModelProcessError(f"{self._name} wrote nothing for too long and was stopped")
            if found.get("kind") == "error":
                raise ModelProcessError(_text(found.get("message")))
            yield _piece(found)
            if found.get("kind") == "end":
                return

    def _abandon(self) -> None:
        """Nobody reads this answer any more: end it, or the process where it goes on."""
        try:
            self._send(kind="stop")
            latest = time.monotonic() + self._timeouts.stop
            while self._next(latest).get("kind") not in {"end", "error"}:
                pass
        except ModelProcessError:
            self._process.stop()

    def _send(self, **message: Any) -> None:
        pipe = self._process.popen.stdin
        assert pipe is not None  # noqa: S101 - it was started with pipes
        try:
            pipe.write(json.dumps(message).encode() + b"\n")
            pipe.flush()
        except (OSError, ValueError) as closed:
            raise ModelProcessError(self._ending()) from closed

    def _next(self, latest: float) -> Mapping[str, Any]:
        found = self._poll(latest, None)
        if found is None:
            self._process.stop()
            raise ModelProcessError(f"{self._name} took too long and was stopped")
        return found

    def _poll(self, latest: float, stop: threading.Event | None) -> Mapping[str, Any] | None:
        """The next message; None at the latest moment, or when ``stop`` is set."""
        pipe = self._process.popen.stdout
        assert pipe is not None  # noqa: S101 - it was started with pipes
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(pipe, selectors.EVENT_READ)
            except (ValueError, KeyError) as closed:
                raise ModelProcessError(self._ending()) from closed
            while b"\n" not in self._buffer:
                left = latest - time.monotonic()
                if left <= 0 or (stop is not None and stop.is_set()):
                    return None
                if not selector.select(min(left, POLL_SECONDS)):
                    continue
                block = os.read(pipe.fileno(), 1 << 16)
                if not block:
                    raise ModelProcessError(self._ending())
                self._buffer += block
                if len(self._buffer) > LONGEST_LINE and b"\n" not in self._buffer:
                    self._process.stop()
                    raise ModelProcessError(f"the process of {self._name} sent what cannot be read")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return self._parsed(line)

    def _parsed(self, line: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._process.stop()
            raise ModelProcessError(f"the process of {self._name} sent what cannot be read")
        return found

    def _ending(self) -> str:
        """How the process ended, as a sentence."""
        code = self._process.popen.poll()
        if code is None:
            self._process.stop()
            code = self._process.popen.returncode
        if code in {-signal.SIGKILL, -signal.SIGXCPU}:
            return f"the process of {self._name} was stopped: it used more memory than it may"
        errors = self._errors.read_text("utf-8", errors="replace") if self._errors.exists() else ""
        how = f"by {signal.Signals(-code).name}" if code and code < 0 else crash_cause(errors)
        return f"the process of {self._name} ended: {how}"


def _piece(found: Mapping[str, Any]) -> Piece:
    """A piece of an untrusted message: every field is checked."""
    tokens, finish = found.get("tokens"), found.get("finish")
    count = tokens if isinstance(tokens, int) and 0 <= tokens <= 1_000_000 else 0
    ended: Finish | None = finish if finish in FINISHES else None
    if found.get("kind") == "end":
        ended = ended or "end"
    return Piece(_text(found.get("text")), count, ended)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _has_gpu(device: str | None) -> bool:
    return device != "cpu" and Path("/dev/nvidiactl").exists()


def _close(pipe: Any) -> None:
    with suppress(OSError):
        pipe.close()
