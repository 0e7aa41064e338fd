"""Runs one of the gate's limited processes and says how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bot.isolation import child_environment, stopped_at_the_end

_STDERR_TAIL = 1500


class SandboxResult(NamedTuple):
    """What a limited process printed, and why it did not end well (None where it did)."""

    output: str
    reason: str | None


def run_limited(module: str, request: Mapping[str, Any], *, seconds: float) -> SandboxResult:
    """Run ``python -m module request.json`` in a private home and wait for it.

    The child limits its own memory and processor time before it touches a stranger's data;
    ``seconds`` of wall time end it in any case.
    """
    with tempfile.TemporaryDirectory(prefix="mergebot-check-") as private:
        home = Path(private)
        (home / "request.json").write_text(json.dumps(request), "utf-8")
        with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
            child = subprocess.Popen(
                [sys.executable, "-m", module, str(home / "request.json")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=home,
                env=child_environment(os.environ, home=home), start_new_session=True,
            )  # fmt: skip
            with stopped_at_the_end(child):
                reason = _wait(child, seconds)
        output = (home / "out").read_text("utf-8", errors="replace")
        if reason == "":
            errors = (home / "err").read_text("utf-8", errors="replace")
            reason = f"ended with exit code {child.returncode}: {errors[-_STDERR_TAIL:].strip()}"
        return SandboxResult(output, reason)


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
