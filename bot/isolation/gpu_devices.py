"""GPU device files, which an isolated process cannot create for itself."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

_SECONDS = 60


def create_gpu_devices() -> None:
    """Let NVIDIA's helper load its modules and create ``/dev/nvidia*`` where they are missing.

    CUDA calls this setuid program when it starts, which a process without the right to gain
    privileges cannot. Nothing happens where the program is missing.
    """
    program = shutil.which("nvidia-modprobe")
    if program is None:
        return
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run([program, "-u", "-c=0"], capture_output=True, check=False, timeout=_SECONDS)
