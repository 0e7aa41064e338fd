"""The divergence between rows read as logits, in additions, products and one kind of quotient.

No exponential and no logarithm of a library is called, since those differ between processors in the
last bit: both are short series in float64, accurate to about 1e-11, in an order that is fixed.
"""

from __future__ import annotations

import math

import numpy as np

from bot.methods.core.method_input import Array

FLOOR = 1e-8
"""Added to every probability before the divergence is taken."""
LANES = 32
"""A power of two: lane k of a row sums its elements k, k + 32, .. one after another."""
LEAST = -700.0
"""Exponents below this give nothing beside ``FLOOR``; there e**x is still a normal number."""
PER_DOUBLING = float.fromhex("0x1.71547652b82fep+0")
DOUBLING = float.fromhex("0x1.62e42fefa39efp-1")
DOUBLING_HIGH = float.fromhex("0x1.62e42fefa0000p-1")
DOUBLING_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")
"""``log(2)``, and in two parts, the first so short that its products with exponents are exact."""
ROUND = 1.5 * 2.0**52
"""Added to a small number it rounds to an integer, which then is the lower part of the bits."""
MANTISSA = np.uint64(52)
POWERS = tuple(1 / math.factorial(n) for n in range(10))
"""e**r in powers of r, for ``|r| <= log(2) / 2``."""
ODD = tuple(1 / (2 * n + 1) for n in range(8))
"""``atanh(s) / s`` in powers of s**2, for ``|s| <= 1/5``."""
BIAS = np.uint64((1024 << 52) + (1 << 51))
"""Makes the difference of two numbers' bits positive, and rounds it to a whole exponent."""
INTEGER = np.uint64(0x4330000000000000)
"""The bits of 2**52: with an integer as their lower part they are 2**52 and that integer."""
UNBIAS = 2.0**52 + 1024.0


def divergences(models: Array, bases: Array) -> Array:
    """``KL(softmax(model) || softmax(base))`` of every row: float32 (rows,), never below zero.

    In float64, with 1e-8 added to every probability.

    Args:
        models: float32 (rows, width).
        bases: likewise.
    """
    p, q = _softmax(models) + FLOOR, _softmax(bases) + FLOOR
    found = np.maximum(row_sums(p * _log_ratio(p, q)), 0)
    return found.astype(np.float32)


def _softmax(rows: Array) -> Array:
    powers = _exp(rows.astype(np.float64) - rows.max(axis=-1, keepdims=True))
    shares: Array = powers * (1 / row_sums(powers))[:, None]
    return shares


def row_sums(values: Array) -> Array:
    """Sums of float64 rows: by lanes, then of the lanes, halves upon each other."""
    lanes = np.zeros((len(values), LANES))
    for start in range(0, values.shape[-1], LANES):
        step = values[:, start : start + LANES]
        lanes[:, : step.shape[-1]] += step
    while lanes.shape[-1] > 1:
        half = lanes.shape[-1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


def _exp(x: Array) -> Array:
    """e**x of float64 numbers up to zero."""
    x = np.maximum(x, LEAST)
    shifted = x * PER_DOUBLING + ROUND
    doublings = shifted - ROUND
    rest = (x - doublings * DOUBLING_HIGH) - doublings * DOUBLING_LOW
    series = np.full_like(rest, POWERS[-1])
    for factor in POWERS[-2::-1]:
        series = series * rest + factor
    raised: Array = series.view(np.uint64) + (shifted.view(np.uint64) << MANTISSA)
    return raised.view(np.float64)


def _log_ratio(p: Array, q: Array) -> Array:
    """log(p / q) of positive float64 numbers: ``n log(2) + 2 atanh((p - q') / (p + q'))``.

    q' is q times the power of two, n, that brings it nearest to p; near 1 no digit is lost.
    """
    biased = (p.view(np.uint64) - q.view(np.uint64) + BIAS) >> MANTISSA
    doublings = (biased | INTEGER).view(np.float64) - UNBIAS
    near = (q.view(np.uint64) + ((biased - np.uint64(1024)) << MANTISSA)).view(np.float64)
    slope = (p - near) / (p + near)
    square = slope * slope
    series = np.full_like(square, ODD[-1])
    for factor in ODD[-2::-1]:
        series = series * square + factor
    logarithm: Array = doublings * DOUBLING + (slope + slope) * series
    return logarithm
