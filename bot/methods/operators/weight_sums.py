"""Sums of weights, and what to do when there is nothing to divide by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.errors import PlanError, Problem

NOTHING = 1e-8
"""A sum of weights below this share of their magnitudes is rounding noise, not a divisor."""


def total(weights: Sequence[float]) -> float:
    """The sum of the weights, in float64, exactly rounded.

    Raises:
        PlanError: the weights cancel, so a normalised average does not exist, or are too large.
    """
    value = added(weights)
    if math.isinf(value):
        raise _unusable(weights, "are too large to be added up")
    if abs(value) <= NOTHING * math.fsum(map(abs, weights)):
        raise _unusable(weights, "add up to zero and cannot be normalised")
    return value


def cancels(weights: Sequence[float]) -> bool:
    """Whether mergekit leaves a sum of these weights undivided: zero but for rounding, or tiny."""
    return abs(added(weights)) <= NOTHING * max(1.0, added([abs(weight) for weight in weights]))


def added(weights: Sequence[float]) -> float:
    """The sum of the weights, in float64, exactly rounded; infinite where that is too small."""
    try:
        return math.fsum(weights)
    except OverflowError:
        return math.inf


def _unusable(weights: Sequence[float], why: str) -> PlanError:
    listed = ", ".join(f"{weight:g}" for weight in weights)
    hint = "set `normalize: false`, or weights whose sum is not zero"
    return PlanError([Problem(message=f"the weights {listed} {why}", hint=hint)])
