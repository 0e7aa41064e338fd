"""Random masks that depend on nothing but seed, tensor, model and element.

The generator is Philox4x32-10 (Salmon et al. 2011), whose output is a function of a key and a
counter, so any part of a mask can be made anywhere, for a CPU or a GPU. Its key is the first 8
bytes (two little-endian 32-bit words) of SHA-256 over the UTF-8 text
``"<kind>/<seed>/<model>/<tensor>"``. A counter is a block's number (the first two words) and a
row's (the others); the 128 bits of a block are read as little-endian words of the width needed.

**One probability for a tensor.** Kinds ``16`` and ``32``, by the width of the words. Row 0 holds a
word for every element, from block 0 on. An element is kept when its word is below
``T = round(p * 2**bits)``; ``T / 2**bits`` is the probability that is realised, and the one a
rescale must use. Words have 16 bits, but 32 where p is within 1/64 of 0 or 1.

**By rank within a row**, from ``low`` for the smallest to ``high`` for the largest of n elements.
Kind ``row``; every row has its own blocks, which hold a byte for every element and after them, from
the next whole block on, a word of 32 bits for each element that its byte leaves open, in order.

- With ``A = floor(256 low)`` and ``B = ceil(256 high)``, an element is kept for a byte below A and
  dropped for one of B or more.
- Between them its word w gives ``u = (A + (B - A) w / 2**32) / 256``. It is kept for u below
  ``low`` and dropped for ``high`` or more.
- Between those it meets a rival: the element ``1 + floor((n - 1) (u - low) / (high - low))`` places
  further, around the end of the row. It is kept when the rival's magnitude is smaller, or equal
  and the rival is left of it.

Every other element is as likely to be the rival, and r of the n - 1 come before the one of rank r:
it is kept with probability ``low + (high - low) r / (n - 1)``, and nothing need be sorted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.engine.kernels.dare_masks import draw, size_of_words
from bot.engine.kernels.della_masks import list_rivals, row_scratch
from bot.methods.core.method_input import Array, Bounds, RankSampling, Span

_EDGE = 1 / 64


def even_threshold(probability: float) -> tuple[int, int]:
    """How wide the words are for one probability, and below what a word means "keep"."""
    bits = 16 if _EDGE <= probability <= 1 - _EDGE else 32
    return bits, round(probability * (1 << bits))


@dataclass(frozen=True, kw_only=True)
class PhiloxDraws:
    """The draws of one output tensor."""

    seed: int
    tensor: str

    def keep(self, model: int, probability: float, span: Span) -> Array:
        """A float32 0/1 mask for the span, flat."""
        bits, threshold = even_threshold(probability)
        words = self.words(model, bits, span.start, span.stop)
        if threshold == 1 << bits:
            return np.ones(words.shape, np.float32)
        return (words < words.dtype.type(threshold)).astype(np.float32)

    def realised(self, probability: float) -> float:
        """The probability with which an element is kept."""
        bits, threshold = even_threshold(probability)
        return threshold / (1 << bits)

    def rank_sampling(self, model: int, between: Bounds, span: Span, width: int) -> RankSampling:
        """Which elements are kept and which are compared, for probabilities that rise with rank.

        Args:
            model: its number.
            between: the probabilities of a row's smallest and largest element.
            span: whole rows.
            width: their length, at least 2.
        """
        elements = span.stop - span.start
        kept, left = np.empty((2, elements), np.uint8)
        rival = np.empty(elements, np.int64)
        list_rivals(
            self.key(model, "row"), np.uint64(span.start // width), width, *between,
            kept, rival, left, *row_scratch(width),
        )  # fmt: skip
        return RankSampling(kept.view(np.bool_), rival, left.view(np.bool_))

    def words(
        self, model: int, bits: int, start: int, stop: int
    ) -> npt.NDArray[np.unsignedinteger]:
        """The random words of elements ``start`` to ``stop``."""
        raw = np.empty(size_of_words(stop - start, bits), np.uint64)
        skip = draw(self.key(model, str(bits)), bits, start, stop - start, raw)
        return raw.view(f"<u{bits // 8}")[skip : skip + stop - start]

    def key(self, model: int, kind: str) -> np.uint64:
        """The generator's key for draws of that kind."""
        text = f"{kind}/{self.seed}/{model}/{self.tensor}".encode()
        return np.uint64(int.from_bytes(hashlib.sha256(text).digest()[:8], "little"))
