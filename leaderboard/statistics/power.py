"""What a comparison could have found: minimum detectable effects and the items they need."""

from __future__ import annotations

import math

from scipy import stats


def minimum_detectable_effect(stderr: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The true difference that a two-sided test at ``alpha`` finds with this ``power``.

    ``stderr`` is of the paired difference; for right-or-wrong items it is close to
    sqrt((p10 + p01) / n), with p10 and p01 the shares of discordant items.
    """
    return _z(alpha, power) * stderr


def items_needed(
    effect: float, deviation: float, *, alpha: float = 0.05, power: float = 0.8
) -> int:
    """How many items find ``effect`` when paired differences have this standard deviation."""
    return math.ceil((_z(alpha, power) * deviation / effect) ** 2)


def _z(alpha: float, power: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
