"""Where a run happens: versions, processor, device; part of every lock and record."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from bot import __version__
from bot.recipe.recipe_lock import LockedHost

PACKAGES = ("numpy", "numba", "safetensors", "tokenizers", "torch", "transformers", "lm-eval")
CAPABILITIES = ("avx512f", "avx2", "avx", "sse4_2", "asimd")
CPUINFO = Path("/proc/cpuinfo")


def host(device: str = "cpu") -> LockedHost:
    """What a lock records about this machine."""
    return LockedHost(versions=versions(), device=device.split(":", maxsplit=1)[0], cpu=cpu_class())


def versions() -> Mapping[str, str]:
    """Versions of mergebot, Python and what computes; missing packages are left out."""
    from importlib import metadata  # only locks and records need it

    found = {"mergebot": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def cpu_class() -> str:
    """``x86_64 avx512f``: machines of one class give the same bits for exp, SVD and solvers."""
    words = set(_cpuinfo().split())
    best = next((name for name in CAPABILITIES if name in words), "")
    return f"{platform.machine()} {best}".strip()


def machine() -> Mapping[str, str]:
    """A few facts about the machine for people to read."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _model_name() or platform.processor() or "unknown",
        "cpus": str(os.cpu_count() or 1),
    }


def _model_name() -> str:
    for line in _cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


def _cpuinfo() -> str:
    try:
        return CPUINFO.read_text("utf-8", "replace")
    except OSError:
        return ""
