"""Opens the device that a name stands for."""

from __future__ import annotations

import re

from bot.engine.accelerator import Accelerator
from bot.errors import EnvironmentMissingError, UsageError


def open_device(device: str) -> Accelerator | None:
    """The device of that name, ready for use; None for the CPU.

    Raises:
        UsageError: no such kind of device.
        EnvironmentMissingError: it needs hardware or software that is missing.
    """
    if device == "cpu":
        return None
    named = re.fullmatch(r"cuda(?::(\d+))?", device)
    if named is None:
        raise UsageError(f"no device is called {device!r}", hint="use cpu, cuda or cuda:1")
    try:
        from bot.engine.gpu.torch_device import cuda
    except ImportError as error:
        raise EnvironmentMissingError(
            f"the device {device!r} needs torch, which is not installed",
            hint="use --device cpu, or install mergebot[eval]",
        ) from error
    return cuda(int(named[1] or 0))
