"""RAM and RAM+: their counts and arithmetic as calls of ``ram_kernel``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from bot.engine.kernels.ram_kernel import WORK_ROWS, count_shared, pooled
from bot.engine.kernels.scratch import tiles
from bot.engine.kernels.stored_grain import Bits, Combine, FoldKernel, StoredGrain, shift_of
from bot.methods.core.reduction import Stat
from bot.methods.ram import gains
from bot.methods.reductions.delta_counts import Counts, SharedAndUnique


def shared_folder(reduction: SharedAndUnique) -> FoldKernel:
    """The kernel for RAM+'s counts."""
    epsilon = np.float32(reduction.epsilon)

    def fold(state: Counts, grain: StoredGrain) -> Counts:
        count_shared(grain.bits, grain.shift, epsilon, state, tiles(grain.models + WORK_ROWS))
        return state

    return FoldKernel(fold, any_order=True)


def ram(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """RAM's arithmetic."""
    return _pooling(p.epsilon, None)


def ram_plus(p: SimpleNamespace, stats: Mapping[str, Stat]) -> Combine:
    """RAM+'s arithmetic, with counts of the tensor or of the model."""
    return _pooling(p.epsilon, gains(stats["counts"], p.r, p.alpha))


def _pooling(epsilon: float, factors: Sequence[float] | None) -> Combine:
    def combine(grain: StoredGrain, out: Bits) -> bool:
        raised = np.array([1.0] * grain.models if factors is None else factors, np.float32)
        return bool(
            pooled(
                grain.bits, grain.shift, np.float32(epsilon), raised, out, shift_of(out),
                tiles(grain.models + WORK_ROWS),
            )
        )  # fmt: skip

    return combine
