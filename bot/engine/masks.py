"""Random masks that depend on nothing but seed, tensor, model and element.

The generator is Philox4x64-10 (Salmon et al. 2011), whose output is a function of a key and a
counter, so any part of a mask can be made anywhere, on a CPU or a GPU:

- key: the first 16 bytes (two little-endian 64-bit words) of SHA-256 over the UTF-8 text
  ``"<bits>/<seed>/<model>/<tensor>"``, where bits is 16 or 32;
- the 256 bits made from counter ``c + 1`` (a 256-bit number) hold, read as little-endian words of
  ``bits``, the draws of elements ``c * 256 / bits`` onwards;
- an element is kept when its draw is below ``T = round(p * 2**bits)``; ``T / 2**bits`` is the
  probability that is realised, and the one a rescale must use.

Words have 16 bits, but 32 where a probability of the tensor may be within 1/64 of 0 or 1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.methods.block import Array, Bounds, Span

_BLOCK_BITS = 256
_EDGE = 1 / 64


def word_bits(lowest: float, highest: float) -> int:
    """How wide the words are for probabilities in that range."""
    return 16 if lowest >= _EDGE and highest <= 1 - _EDGE else 32


def even_threshold(probability: float) -> tuple[int, int]:
    """How wide the words are for one probability, and below what a word means "keep"."""
    bits = word_bits(probability, probability)
    return bits, round(probability * (1 << bits))


Words = npt.NDArray[np.uint64]


def numpys_blocks(key: Words, first: int, blocks: int) -> Words:
    """Blocks from the ``first`` on, four words each."""
    generator = np.random.Philox(key=key)
    generator.advance(first)
    return generator.random_raw(4 * blocks)


@dataclass(frozen=True, kw_only=True)
class PhiloxDraws:
    """The draws of one output tensor."""

    seed: int
    tensor: str

    def keep(
        self, model: int, probability: float | Array, span: Span, bounds: Bounds | None = None
    ) -> tuple[Array, float | Array]:
        """A float32 0/1 mask for the span, and the probability that was realised.

        An array of probabilities has one entry per element of the span and gives its shape to the
        mask; ``bounds`` are what they lie between in the whole tensor, so that every part of it
        uses words of one width. With a single probability the mask is flat.
        """
        if isinstance(probability, np.ndarray):
            return self._keep_each(model, probability, span, word_bits(*(bounds or (0, 1))))
        bits, threshold = even_threshold(probability)
        realised = threshold / (1 << bits)
        words = self.words(model, bits, span.start, span.stop)
        if threshold == 1 << bits:
            return np.ones(words.shape, np.float32), realised
        return (words < words.dtype.type(threshold)).astype(np.float32), realised

    def words(
        self, model: int, bits: int, start: int, stop: int
    ) -> npt.NDArray[np.unsignedinteger]:
        """The random words of elements ``start`` to ``stop``."""
        per_block = _BLOCK_BITS // bits
        first, last = start // per_block, -(-stop // per_block)
        raw = np.asarray(numpys_blocks(self.key(model, bits), first, last - first), "<u8")
        offset = first * per_block
        return raw.view(f"<u{bits // 8}")[start - offset : stop - offset]

    def _keep_each(
        self, model: int, probability: Array, span: Span, bits: int
    ) -> tuple[Array, Array]:
        scale = float(1 << bits)
        threshold = np.rint(probability.astype(np.float64) * scale)
        words = self.words(model, bits, span.start, span.stop).reshape(probability.shape)
        return (words < threshold).astype(np.float32), (threshold / scale).astype(np.float32)

    def key(self, model: int, bits: int) -> Words:
        """The generator's key for words of so many bits: uint64 (2,)."""
        text = f"{bits}/{self.seed}/{model}/{self.tensor}".encode()
        return np.frombuffer(hashlib.sha256(text).digest()[:16], "<u8").astype(np.uint64)
