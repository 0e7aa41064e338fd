"""A stop is the user's, whoever sends it: one line, no traceback, the code of an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_ends_a_command_politely(number: signal.Signals, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    os.mkfifo(recipe)
    command = [sys.executable, "-m", "bot", "validate", str(recipe)]
    process = interruptible(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process, recipe.open("w"):  # opens once the command reads, which then waits for a line
        process.send_signal(number)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert out == ""
    assert err.strip().splitlines()[0] == "error: stopped"
    assert "Traceback" not in err
