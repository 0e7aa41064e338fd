"""Geometry on the unit sphere, in the coefficients of the vectors that span the answer.

Every mean here is a combination of the inputs. Lengths and angles follow from the inputs' Gram
matrix alone, so the vectors are read once for the matrix and once for the combination.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.methods.reductions.gram import Matrix

PARALLEL = 1 - 1e-12
"""From this cosine on two directions are one: float32 inputs cannot tell them apart."""
OPPOSITE = -0.9995
"""Up to this cosine two directions are opposite: the plane of the arc is rounding noise."""


def arcs(products: Matrix, t: float, *, straight: float = PARALLEL) -> tuple[Matrix, Matrix]:
    """Coefficients of spherical interpolation between two ends, from Gram matrices (2, 2, ...).

    ``sin((1 - t) phi) / sin(phi)`` and ``sin(t phi) / sin(phi)``; ``1 - t`` and ``t`` where the
    cosine is at least ``straight`` or at most ``OPPOSITE``, or an end has no length.
    """
    lengths = np.sqrt(products[0, 0] * products[1, 1])
    cosine = np.where(lengths > 0, products[0, 1] / np.where(lengths > 0, lengths, 1), 1.0)
    linear = (cosine >= straight) | (cosine <= OPPOSITE)
    angle = np.arccos(np.where(linear, 0.0, cosine))
    sine = np.sin(angle)
    first = np.where(linear, 1 - t, np.sin((1 - t) * angle) / sine)
    second = np.where(linear, t, np.sin(t * angle) / sine)
    return first, second


@dataclass(frozen=True)
class Sphere:
    """Unit directions of vectors x_i, given their Gram matrix; zero vectors are left out."""

    products: Matrix

    @property
    def lengths(self) -> Matrix:
        """``|x_i|``."""
        roots: Matrix = np.sqrt(np.diag(self.products))
        return roots

    @property
    def directions(self) -> Matrix:
        """Row i: the coefficients of ``x_i / |x_i|``; a zero row where ``x_i`` is zero."""
        lengths = self.lengths
        return np.diag(np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1), 0))

    def length(self, coefficients: Matrix) -> float:
        """Of the combination with these coefficients."""
        return math.sqrt(max(float(coefficients @ self.products @ coefficients), 0.0))

    def cosine(self, left: Matrix, right: Matrix) -> float:
        """Of the angle between two unit combinations."""
        return min(max(float(left @ self.products @ right), -1.0), 1.0)

    def logarithm(self, at: Matrix, weights: Sequence[float]) -> Matrix:
        """``sum_i w_i Log_at(u_i)``: the tangent at a unit vector towards the directions.

        A direction opposite to ``at`` lies every way and none: it pulls nowhere.
        """
        tangent = np.zeros(len(self.products))
        for weight, unit in zip(weights, self.directions, strict=True):
            cosine = self.cosine(at, unit)
            if cosine <= -PARALLEL:
                continue
            sine = math.sqrt(1 - cosine * cosine)
            factor = math.acos(cosine) / sine if sine > 0 else 1.0
            tangent += weight * factor * (unit - cosine * at)
        return tangent

    def exponential(self, at: Matrix, tangent: Matrix) -> Matrix:
        """The unit vector reached from ``at`` along a tangent."""
        angle = self.length(tangent)
        if angle == 0:
            return at
        reached = math.cos(angle) * at + math.sin(angle) / angle * tangent
        unit: Matrix = reached / self.length(reached)
        return unit
