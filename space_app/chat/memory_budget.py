"""How much memory chat models may use on this machine."""

from __future__ import annotations

import os

SHARE = 0.7
"""Of what is free; the rest is for everybody else."""
FALLBACK = 4_000_000_000


def free_memory() -> int:
    """Bytes for chat models: a share of the GPU's memory where there is one, else of the RAM."""
    try:
        pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        pages = 0
    return round(SHARE * pages) if pages > 0 else FALLBACK
