"""Which compiled kernels a merge may use, as one value that is handed down.

Kernels take time to load: a small merge does without them, and ``load_kernels`` imports them late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from bot.engine.kernels.stored_grain import Combine, FoldKernel
from bot.methods.core.reduction import Reduction, Stat


class Kernels(NamedTuple):
    """Look-ups: of a method's kernel by name, arguments and statistics, and of a reduction's.

    Each gives None where only the plain definition can do the work.
    """

    for_method: Callable[[str, SimpleNamespace, Mapping[str, Stat]], Combine | None]
    for_reduction: Callable[[Reduction[Any]], FoldKernel | None]


def load_kernels() -> Kernels:
    """All kernels there are."""
    from bot.engine.kernels.method_dispatch import combiner
    from bot.engine.kernels.reduction_dispatch import folder

    return Kernels(combiner, folder)
