"""Consensus TA and TALL masks: their arithmetic as calls of ``tall_masks_kernel``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np

from bot.engine.kernels.scratch import tiles
from bot.engine.kernels.stored_grain import Bits, Combine, StoredGrain, shift_of
from bot.engine.kernels.tall_masks_kernel import WORK_ROWS, claimed
from bot.methods.core.reduction import Stat
from bot.methods.tall_masks import chosen


def consensus_ta(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """Consensus TA's arithmetic: every task votes."""
    return _claiming(p, [1.0] * len(p.weight), p.agreement)


def tall_masks(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """TALL masks' arithmetic: only the chosen task votes."""
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
