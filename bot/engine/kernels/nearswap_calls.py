"""NearSwap: its arithmetic as a call of ``nearswap_kernel``."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np

from bot.engine.kernels.nearswap_kernel import step_towards
from bot.engine.kernels.scratch import tiles
from bot.engine.kernels.stored_grain import Bits, Combine, StoredGrain, shift_of
from bot.methods.core.reduction import Stat


def nearswap(p: SimpleNamespace, _stats: Mapping[str, Stat]) -> Combine:
    """NearSwap's arithmetic."""

    def combine(grain: StoredGrain, out: Bits) -> bool:
        limit = np.float32(p.t)
        return bool(step_towards(grain.bits, grain.shift, limit, out, shift_of(out), tiles(1)))

    return combine
