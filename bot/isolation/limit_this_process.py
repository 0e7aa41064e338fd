"""Limits that a child process sets on itself, for what it does after its imports."""

from __future__ import annotations

import math
import time


def limit_this_process(*, memory_bytes: int | None, cpu_seconds: int) -> None:
    """Lower what the calling process may use; the system enforces it as far as it can.

    Args:
        memory_bytes: address space, None to leave it as it is.
        cpu_seconds: processor time from now on.

    Linux enforces both; macOS ignores the limit on memory, and a system without ``resource`` has
    neither, which leaves the parent's time limit.
    """
    try:
        import resource
    except ImportError:
        return
    _lower(resource.RLIMIT_CPU, math.ceil(time.process_time()) + cpu_seconds, above=1)
    if memory_bytes is not None:
        _lower(resource.RLIMIT_AS, memory_bytes)


def _lower(kind: int, value: int, *, above: int = 0) -> None:
    import resource

    _, hard = resource.getrlimit(kind)
    top = value + above if hard == resource.RLIM_INFINITY else min(value + above, hard)
    resource.setrlimit(kind, (min(value, top), top))
