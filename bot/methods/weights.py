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
        PlanError: the weights cancel, so a normalised average does not exist.
    """
    value = math.fsum(weights)
    if abs(value) <= NOTHING * math.fsum(map(abs, weights)):
        listed = ", ".join(f"{weight:g}" for weight in weights)
        raise PlanError(
            [
                Problem(
                    message=f"the weights {listed} add up to zero and cannot be normalised",
                    hint="set `normalize: false`, or weights whose sum is not zero",
                )
            ]
        )
    return value


def cancels(weights: Sequence[float]) -> bool:
    """Whether mergekit leaves a sum of these weights undivided: zero but for rounding, or tiny."""
    return abs(math.fsum(weights)) <= NOTHING * max(1.0, math.fsum(map(abs, weights)))
