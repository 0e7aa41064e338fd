"""Methods without selection or randomness as calls of their kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from bot.engine.kernels.nearswap_kernel import step_towards
from bot.engine.kernels.ram_kernel import WORK_ROWS, count_shared, pooled
from bot.engine.kernels.scratch import tiles
from bot.engine.kernels.stored_grain import Bits, Combine, FoldKernel, StoredGrain, shift_of
from bot.engine.kernels.tall_masks_kernel import claimed
from bot.methods.core.reduction import Stat
from bot.methods.ram import gains
from bot.methods.reductions.delta_counts import Counts, SharedAndUnique
from bot.methods.tall_masks import chosen


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
    """That of RAM+, whatever the scope of its counts."""
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


def consensus_ta(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """Every task has a vote."""
    return _claiming(p, [1.0] * len(p.weight), p.agreement)


def tall_masks(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """Only the chosen task has one."""
    task = chosen(p.task, len(p.weight))
    return _claiming(p, [float(number == task) for number in range(len(p.weight))], 1)


def _claiming(p: SimpleNamespace, votes: Sequence[float], agreement: int) -> Combine:
    weight, strictness = np.array(p.weight, np.float32), np.array(p.strictness, np.float32)
    ballots = np.array(votes, np.float32)

    def combine(grain: StoredGrain, out: Bits) -> bool:
        return bool(
            claimed(
                grain.bits, grain.shift, weight, strictness, ballots, np.float32(agreement),
                np.float32(p.lambda_), out, shift_of(out), tiles(grain.models + WORK_ROWS),
            )
        )  # fmt: skip

    return combine


def nearswap(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """NearSwap's arithmetic."""

    def combine(grain: StoredGrain, out: Bits) -> bool:
        limit = np.float32(p.t)
        return bool(step_towards(grain.bits, grain.shift, limit, out, shift_of(out), tiles(1)))

    return combine
