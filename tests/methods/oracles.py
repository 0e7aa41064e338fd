"""The methods' formulas once more, in float64, by sorting and whole arrays: nothing shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass
class Expected:
    """What a merge should be; how much rounding may be amplified; which votes were too close."""

    value: np.ndarray
    condition: np.ndarray
    close: np.ndarray


def deltas(base: np.ndarray, models: Sequence[np.ndarray]) -> list[np.ndarray]:
    """float32 differences, exactly as every method defines them."""
    return [np.subtract(model, base, dtype=np.float32).astype(np.float64) for model in models]


def keep_ranks(delta: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Zero all but the ranks start..stop-1, counted from the largest; lowest index first."""
    flat = delta.reshape(-1)
    order = np.lexsort((np.arange(flat.size), -np.abs(flat)))
    kept = np.zeros_like(flat)
    chosen = order[start:stop]
    kept[chosen] = flat[chosen]
    return kept.reshape(delta.shape)


def trim(delta: np.ndarray, density: float) -> np.ndarray:
    if density >= 1:
        return delta
    if density <= 0:
        return np.zeros_like(delta)
    return keep_ranks(delta, 0, max(1, int(density * delta.size)))


def band(delta: np.ndarray, density: float, gamma: float) -> np.ndarray:
    if density >= 1:
        return delta
    n = delta.size
    kept = int(density * n)
    top = min(int(gamma * n), n - kept)
    return keep_ranks(delta, top, top + kept)


def on_threshold(delta: np.ndarray, ranks: Sequence[int]) -> np.ndarray:
    """Elements whose magnitude equals that of a boundary shared by both sides of a selection."""
    magnitude = np.sort(np.abs(delta).reshape(-1))[::-1]
    shared = {
        magnitude[k]
        for k in ranks
        if 0 < k < magnitude.size and magnitude[k] == magnitude[k - 1] and magnitude[k] > 0
    }
    return np.isin(np.abs(delta), list(shared))


def restore_l1(delta: np.ndarray, kept: np.ndarray) -> np.ndarray:
    after = np.abs(kept).sum()
    return kept * (np.abs(delta).sum() / after) if after > 0 else kept


def summed(
    base: np.ndarray,
    kept: Sequence[np.ndarray],
    weight: Sequence[float],
    *,
    normalize: bool,
    lambda_: float,
) -> Expected:
    mixed = np.asarray(sum(w * d for w, d in zip(weight, kept, strict=True)))
    total = sum(weight)
    size = sum(abs(w) for w in weight)
    condition = np.full(base.shape, size)
    if normalize and abs(total) >= 1e-8:
        mixed, condition = mixed / total, condition / abs(total)
    return Expected(
        base + lambda_ * mixed, 1 + abs(lambda_) * condition, np.zeros(base.shape, bool)
    )


def elected(
    base: np.ndarray,
    kept: Sequence[np.ndarray],
    weight: Sequence[float],
    *,
    normalize: bool,
    lambda_: float,
) -> Expected:
    votes = np.stack([w * d for w, d in zip(weight, kept, strict=True)])
    shares = np.array(weight, float).reshape(-1, *[1] * base.ndim)
    total = votes.sum(0)
    sign = np.where(total >= 0, 1.0, -1.0)
    agree = np.sign(votes) == sign
    mixed = np.where(agree, votes, 0).sum(0)
    size = np.where(agree, np.abs(shares), 0).sum(0)
    if normalize:
        divisor = np.where(agree, shares, 0).sum(0)
        divisor = np.where(np.abs(divisor) < 1e-12, 1.0, divisor)
        mixed, size = mixed / divisor, size / np.abs(divisor)
    noise = 4 * np.finfo(np.float32).eps * np.abs(votes).sum(0)
    close = (np.abs(total) <= noise) & (np.count_nonzero(votes, axis=0) > 1)
    return Expected(base + lambda_ * mixed, 1 + abs(lambda_) * size, close)
