"""How many processors and how much memory this process may use.

Every part of mergebot that sizes itself by the machine asks here: the engine, its forecast, the
default of ``--threads`` and ``--memory``, and the checks. The answers respect the CPU affinity of
the process and the limits of its control groups (cgroup v1 and v2), which a container or a batch
system sets below what the machine has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MEMORY_SHARE = 0.75
"""Of the available memory, what a merge may use by default."""
ASSUMED_MEMORY = 4 << 30
"""Bytes assumed to be available where the system does not say."""


@dataclass(frozen=True, kw_only=True)
class SystemFiles:
    """The folders of the Linux kernel's files; on other systems they are missing."""

    proc: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")


LINUX = SystemFiles()


def usable_cpus(files: SystemFiles = LINUX, affinity: int | None = None) -> int:
    """Processors this process may use, at least one; part of a processor counts as one.

    Args:
        files: where the kernel's files are.
        affinity: processors in the affinity mask; None asks the system.
    """
    allowed = _affinity() if affinity is None else affinity
    quotas = (quota for folder in _groups(files, "cpu") if (quota := _cpu_quota(folder)))
    return max(1, min([allowed, *quotas]))


def default_memory(files: SystemFiles = LINUX) -> int:
    """Bytes a merge may use when nobody says: three quarters of what is available now."""
    return int(MEMORY_SHARE * available_memory(files))


def available_memory(files: SystemFiles = LINUX) -> int:
    """Bytes this process can still take without swapping, within its control groups' limits."""
    free = (
        left for folder in _groups(files, "memory") if (left := _memory_left(folder)) is not None
    )
    return max(0, min([_free_memory(files), *free]))


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _groups(files: SystemFiles, controller: str) -> Iterator[Path]:
    """The folders that may limit this process: its control group and those above it.

    A line of ``/proc/self/cgroup`` is ``number:controllers:path``; version 2 names no controllers.
    """
    for line in _lines(files.proc / "self" / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mount = files.cgroups / controller if controllers else files.cgroups
        place = PurePosixPath(path.lstrip("/"))
        yield from (mount / above for above in (place, *place.parents))


def _cpu_quota(group: Path) -> int | None:
    """Processors that a group's quota allows, rounded up; None where there is no limit."""
    words = " ".join(_lines(group / "cpu.max")).split()  # version 2: quota and period
    if not words:
        words = [*_lines(group / "cpu.cfs_quota_us"), *_lines(group / "cpu.cfs_period_us")]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or no such files
        return None
    return -(-quota // period) if quota > 0 and period > 0 else None


def _memory_left(group: Path) -> int | None:
    """A group's limit less what it uses, pages of files that can be dropped aside."""
    for limit, usage, droppable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, used = _number(group / limit), _number(group / usage)
        if most is not None and used is not None:
            return most - used + _field(group / "memory.stat", droppable)
    return None


def _free_memory(files: SystemFiles) -> int:
    kibibytes = _field(files.proc / "meminfo", "MemAvailable:")
    if kibibytes:
        return kibibytes * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return ASSUMED_MEMORY


def _number(file: Path) -> int | None:
    text = "".join(_lines(file))
    return int(text) if text.isdecimal() else None


def _field(file: Path, name: str) -> int:
    """The number after a name at the beginning of a line, or 0."""
    for line in _lines(file):
        words = line.split()
        if words[:1] == [name] and words[1:] and words[1].isdecimal():
            return int(words[1])
    return 0


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
