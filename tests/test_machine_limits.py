"""Processors and memory of a process, from made-up files of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.machine_limits import SystemFiles, available_memory, default_memory, usable_cpus

GIB = 1 << 30


def files(root: Path, contents: dict[str, str]) -> SystemFiles:
    for name, text in contents.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return SystemFiles(proc=root / "proc", cgroups=root / "cgroup")


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000\n", 16), ("200000 100000\n", 2), ("250000 100000\n", 3), ("1000 100000\n", 1)],
)
def test_a_quota_of_version_two(tmp_path: Path, quota: str, cpus: int) -> None:
    system = files(tmp_path, {"proc/self/cgroup": "0::/job\n", "cgroup/job/cpu.max": quota})
    assert usable_cpus(system, affinity=16) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 16), ("400000", 4), ("450000", 5)])
def test_a_quota_of_version_one(tmp_path: Path, quota: str, cpus: int) -> None:
    system = files(
        tmp_path,
        {
            "proc/self/cgroup": "3:memory:/a\n2:cpu,cpuacct:/a/b\n0::/\n",
            "cgroup/cpu/a/b/cpu.cfs_quota_us": quota,
            "cgroup/cpu/a/b/cpu.cfs_period_us": "100000",
        },
    )
    assert usable_cpus(system, affinity=16) == cpus


def test_the_tightest_of_all_groups_above_counts(tmp_path: Path) -> None:
    system = files(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user/job/step\n",
            "cgroup/user/cpu.max": "300000 100000",
            "cgroup/user/job/step/cpu.max": "800000 100000",
        },
    )
    assert usable_cpus(system, affinity=16) == 3


def test_the_affinity_of_the_process_counts_without_any_limit(tmp_path: Path) -> None:
    assert usable_cpus(files(tmp_path, {}), affinity=5) == 5
    if hasattr(os, "sched_setaffinity"):
        all_of_them = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(all_of_them)})
        try:
            assert usable_cpus() == 1
        finally:
            os.sched_setaffinity(0, all_of_them)


MEMINFO = f"MemTotal: {32 * GIB // 1024} kB\nMemAvailable: {20 * GIB // 1024} kB\n"


def test_memory_without_a_limit_is_what_the_machine_has_left(tmp_path: Path) -> None:
    unlimited = {"proc/self/cgroup": "0::/job\n", "cgroup/job/memory.max": "max\n"}
    system = files(tmp_path, {"proc/meminfo": MEMINFO, **unlimited})
    assert available_memory(system) == 20 * GIB
    assert default_memory(system) == 15 * GIB


@pytest.mark.parametrize(
    ("line", "limit", "usage", "droppable"),
    [
        ("0::/job", "job/memory.max", "job/memory.current", "inactive_file"),
        (
            "4:memory:/job",
            "memory/job/memory.limit_in_bytes",
            "memory/job/memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
)
def test_memory_under_a_limit(
    tmp_path: Path, line: str, limit: str, usage: str, droppable: str
) -> None:
    stat = f"{Path(limit).parent}/memory.stat"
    system = files(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": f"{line}\n",
            f"cgroup/{limit}": f"{6 * GIB}\n",
            f"cgroup/{usage}": f"{5 * GIB}\n",
            f"cgroup/{stat}": f"anon 7\n{droppable} {3 * GIB}\n",
        },
    )
    assert available_memory(system) == 4 * GIB


def test_a_system_without_these_files_has_some_memory(tmp_path: Path) -> None:
    assert available_memory(files(tmp_path, {})) > 1 << 28
