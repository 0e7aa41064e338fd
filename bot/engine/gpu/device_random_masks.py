"""Random masks on a device: drawn on the host, with rivals compared where the magnitudes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from bot.engine.gpu.device_arrays import DeviceArray
from bot.engine.random_masks import PhiloxDraws
from bot.methods.core.method_input import Array, Bounds, RankSampling, Span


@dataclass(frozen=True, kw_only=True)
class DeviceDraws:
    """The draws of one output tensor; bit for bit those of ``bot.engine.random_masks``.

    The generator runs on the host, and what it draws is copied.
    """

    host: PhiloxDraws
    device: torch.device

    def keep(self, model: int, probability: float, span: Span) -> Any:
        """A float32 0/1 mask for the span."""
        return self._there(self.host.keep(model, probability, span))

    def realised(self, probability: float) -> float:
        """The probability with which an element is kept."""
        return self.host.realised(probability)

    def rank_sampling(self, model: int, between: Bounds, span: Span, width: int) -> RankSampling:
        """Who is kept for sure and whom the others meet."""
        return RankSampling(*map(self._there, self.host.rank_sampling(model, between, span, width)))

    def _there(self, array: Array) -> Any:
        return DeviceArray(torch.from_numpy(array).to(self.device))
