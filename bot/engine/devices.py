"""Where the arithmetic runs."""

from __future__ import annotations

import os

from bot.errors import EnvironmentMissingError, UsageError


def require(device: str) -> None:
    """Accept a device that can be used here.

    Raises:
        UsageError: no such kind of device.
        EnvironmentMissingError: it needs hardware or software that is missing.
    """
    if device == "cpu":
        return
    if device.partition(":")[0] != "cuda":
        raise UsageError(f"no device is called {device!r}", hint="use cpu or cuda")
    raise EnvironmentMissingError(
        f"the device {device!r} cannot be used for merging here",
        hint="use --device cpu: merging is bound by the disk, not by arithmetic",
    )


def default_threads() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
