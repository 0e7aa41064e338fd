"""Child processes that hear Ctrl-C even when the tests themselves run in the background."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def interruptible(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Start a command with SIGINT as in a terminal; background jobs inherit it ignored."""
    return subprocess.Popen(command, text=True, preexec_fn=_hear, **options)


def _hear() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
