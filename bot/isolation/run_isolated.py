"""Runs a Python module isolated, with a request as JSON, and says how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bot.isolation.child_environment import child_environment
from bot.isolation.crash_cause import crash_cause
from bot.isolation.isolated_process import IsolatedProcess, Limits
from bot.isolation.protection import Protection


class IsolatedResult(NamedTuple):
    """What an isolated process printed, and why it failed (None where it did not)."""

    output: str
    reason: str | None


def run_isolated(
    module: str, request: Mapping[str, Any], *, seconds: float, limits: Limits,
    readable: Iterable[Path] = (), writable: Iterable[Path] = (),
) -> IsolatedResult:  # fmt: skip
    """Run ``python -m module request.json`` without network in a private home, and wait for it.

    Args:
        module: the module; its first argument is the path of the request.
        request: what is written there as JSON.
        seconds: wall time after which it is stopped.
        limits: what it may use.
        readable: files and folders it may read.
        writable: folders it may write, besides its home.

    Returns:
        Its standard output, and the reason of its failure as the end of a sentence.
    """
    with tempfile.TemporaryDirectory(prefix="mergebot-isolated-") as private:
        home = Path(private) / "home"
        home.mkdir()
        (home / "request.json").write_text(json.dumps(request), "utf-8")
        command = [sys.executable, "-m", module, str(home / "request.json")]
        out, err = Path(private) / "out", Path(private) / "err"
        with (
            out.open("wb") as stdout,
            err.open("wb") as stderr,
            IsolatedProcess(
                command, home=home, environment=child_environment(os.environ, home=home),
                readable=readable, writable=writable, limits=limits, stdout=stdout, stderr=stderr,
            ) as child,
        ):  # fmt: skip
            reason = _wait(child.popen, seconds)
        if reason == "":
            errors = err.read_text("utf-8", errors="replace")
            reason = f"ended with exit code {child.popen.returncode}: {crash_cause(errors)}"
        return IsolatedResult(out.read_text("utf-8", errors="replace"), reason)


@cache
def probe() -> Protection:
    """What an isolated process is protected from on this machine, found by starting one.

    A process that cannot be started counts as unprotected.
    """
    with (
        suppress(OSError, subprocess.TimeoutExpired),
        tempfile.TemporaryDirectory(prefix="mergebot-isolated-") as private,
    ):
        home = Path(private)
        with IsolatedProcess(
            [sys.executable, "-S", "-c", ""], home=home,
            environment=child_environment(os.environ, home=home),
            limits=Limits(memory_bytes=1 << 30, cpu_seconds=60),
        ) as child:  # fmt: skip
            child.popen.wait(60)
        return child.protection
    return Protection()


def _wait(child: subprocess.Popen[bytes], seconds: float) -> str | None:
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"was not done after {seconds:.0f} s and was stopped"
    if code == 0:
        return None
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return "used more processor time or memory than it may, and was stopped"
    return "" if code > 0 else f"was stopped by {signal.Signals(-code).name}"
