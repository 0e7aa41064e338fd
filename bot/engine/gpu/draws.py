"""Random masks on a device: the host's words, compared where the probabilities are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from bot.engine.gpu.arrays import DeviceArray
from bot.engine.masks import PhiloxDraws, word_bits
from bot.methods.block import Bounds, Span


@dataclass(frozen=True, kw_only=True)
class DeviceDraws:
    """The draws of one output tensor; bit for bit those of ``bot.engine.masks``.

    The generator runs on the host and its words are copied: Philox makes them faster than a disk
    delivers the tensors they thin out.
    """

    host: PhiloxDraws
    device: torch.device

    def keep(
        self, model: int, probability: Any, span: Span, bounds: Bounds | None = None
    ) -> tuple[Any, Any]:
        """A float32 0/1 mask for the span, and the probability that was realised.

        An array of probabilities, one per element, gives its shape to the mask.
        """
        if isinstance(probability, DeviceArray):
            bits = word_bits(*(bounds or (0, 1)))
            return self._keep_each(model, probability.tensor, span, bits)
        mask, realised = self.host.keep(model, probability, span)
        return DeviceArray(torch.from_numpy(mask).to(self.device)), realised

    def _keep_each(
        self, model: int, probability: torch.Tensor, span: Span, bits: int
    ) -> tuple[DeviceArray, DeviceArray]:
        stored = self.host.words(model, bits, span.start, span.stop).view(f"<i{bits // 8}")
        words = torch.from_numpy(stored).to(self.device).to(torch.int64) & ((1 << bits) - 1)
        threshold = torch.round(probability.to(torch.float64) * (1 << bits))
        mask = words.reshape(probability.shape) < threshold
        realised = threshold * 2.0**-bits
        return DeviceArray(mask.to(torch.float32)), DeviceArray(realised.to(torch.float32))
