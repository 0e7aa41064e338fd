"""Random masks that are a function of seed, tensor, model and element, and of nothing else.

A 64-bit counter goes through the finaliser of SplitMix64 (Steele et al. 2014) with a second key
mixed in half-way. Integer arithmetic only, so every machine and every order of work draws the same.
One word serves four elements with 16 bits each, or two with 32 where the probability is so close to
0 or 1 that 16 bits would be coarse.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.methods.block import Array, Span

Words = npt.NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
COARSE = 1 / 256
"""Probabilities this close to 0 or 1 are drawn with 32 bits."""


@dataclass(frozen=True)
class CounterDraws:
    """The draws for one output tensor of one merge."""

    seed: int
    tensor: str

    def keep(
        self, model: int, probability: float | Array, span: Span
    ) -> tuple[Array, float | Array]:
        """A boolean mask for the span, and the probability that was realised.

        Args:
            model: position among the models that are not the base.
            probability: of keeping an element; one number strictly between 0 and 1, or an array
                with one per element (16 bits each), whose shape the mask takes.
            span: which elements.

        Returns:
            The mask, flat for one probability; the probability rounded to what the bits can
            express, float64 for one number and float32 for an array, never 0 or 1.
        """
        if isinstance(probability, float | int):
            wide = min(probability, 1 - probability) < COARSE
            bits = 32 if wide else 16
            threshold = min(max(round(probability * 2.0**bits), 1), 2**bits - 1)
            return self.uniform(model, span, bits) < threshold, threshold / 2.0**bits
        steps = np.clip(np.rint(np.asarray(probability, np.float32) * 65536), 1, 65535)
        drawn = self.uniform(model, span, 16).reshape(steps.shape)
        return drawn < steps.astype(np.uint16), (steps / 65536).astype(np.float32)

    def uniform(self, model: int, span: Span, bits: int) -> npt.NDArray[Any]:
        """Uniform integers of 16 or 32 bits, one per element of the span."""
        lanes = 64 // bits
        first, last = span.start // lanes, -(-span.stop // lanes)
        words = mixed(np.arange(first, last, dtype=np.uint64), *self.keys(model, bits))
        halves = words.astype("<u8").view(f"<u{bits // 8}")
        return halves[span.start - first * lanes : span.stop - first * lanes]

    def keys(self, model: int, bits: int) -> tuple[int, int]:
        """Two 64-bit keys; one pair per seed, tensor, model and width."""
        text = f"{self.seed}\0{model}\0{bits}\0{self.tensor}".encode()
        digest = hashlib.blake2b(text, digest_size=16, person=b"mergebot draws").digest()
        return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def mixed(counter: Words, first: int, second: int) -> Words:
    """64 random bits for every value of the counter; unsigned arithmetic modulo 2**64."""
    z = counter * GOLDEN + np.uint64(first)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= np.uint64(second)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z
