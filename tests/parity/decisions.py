"""How far two exact merges of one tensor may drift apart, and where a coin decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tests.methods import oracles


@dataclass
class Leeway:
    """Amplification of rounding, and the elements whose decision is a tie."""

    condition: np.ndarray | float
    undecided: np.ndarray


def leeway(
    method: str, base: np.ndarray, models: Sequence[np.ndarray], given: Mapping[str, Any]
) -> Leeway:
    """For resolved parameters, a tuple per per-model parameter."""
    if method == "model_stock" and _disagree(oracles.deltas(base, models), given):
        return Leeway(1, np.ones(models[0].shape, bool))  # the two differ on purpose
    if method in CONDITIONS:
        return Leeway(CONDITIONS[method](base, models, given), np.zeros(models[0].shape, bool))
    moved = oracles.deltas(base, models)
    kept, tied = thinned(method, moved, given)
    merge = oracles.elected if method.endswith("ties") else oracles.summed
    expected = merge(
        base.astype(float),
        kept,
        given["weight"],
        normalize=given["normalize"],
        lambda_=given["lambda"],
    )
    rounding = 1 if method.endswith("ties") else _of_weights(given)
    return Leeway(expected.condition * rounding, expected.close | tied)


def thinned(
    method: str, moved: Sequence[np.ndarray], given: Mapping[str, Any]
) -> tuple[Sequence[np.ndarray], np.ndarray]:
    if method == "ties":
        kept = [oracles.trim(d, share) for d, share in zip(moved, given["density"], strict=True)]
        edges = [[max(1, int(s * d.size))] for d, s in zip(moved, given["density"], strict=True)]
    elif method.startswith("breadcrumbs"):
        rows = list(zip(moved, given["density"], given["gamma"], strict=True))
        kept = [oracles.band(*row) for row in rows]
        edges = [band_edges(d.size, share, top) for d, share, top in rows]
    else:
        return moved, np.zeros(moved[0].shape, bool)
    ties = [oracles.on_threshold(d, ranks) for d, ranks in zip(moved, edges, strict=True)]
    return kept, np.any(ties, axis=0)


def band_edges(elements: int, density: float, gamma: float) -> list[int]:
    kept = int(density * elements)
    top = min(int(gamma * elements), elements - kept)
    return [top, top + kept]


def _disagree(moved: Sequence[np.ndarray], given: Mapping[str, Any]) -> bool:
    rows = [d.reshape(-1, d.shape[-1] if given["filter_wise"] else d.size) for d in moved]
    units = [row / np.linalg.norm(row, axis=-1, keepdims=True) for row in rows]
    pairs = [(a * b).sum(-1) for a, b in combinations(units, 2)]
    return bool(np.mean(pairs, axis=0).min() < 0)


def _of_weights(given: Mapping[str, Any]) -> float:
    """mergekit's float32 weights, where they nearly cancel: a stated deviation."""
    total = abs(sum(given["weight"])) if given["normalize"] else 0
    return max(1, sum(map(abs, given["weight"])) / total / 8) if total >= 1e-8 else 1


def _linear(
    _base: np.ndarray | None, _models: Sequence[np.ndarray], given: Mapping[str, Any]
) -> float:
    size = sum(map(abs, given["weight"]))
    found: float = (
        size / abs(sum(given["weight"])) * _of_weights(given) if given["normalize"] else size
    )
    return found


def _arc(ends: Sequence[np.ndarray], axis: int | None = None) -> float:
    left, right = (end.reshape(1, -1) if axis is None or end.ndim < 2 else end for end in ends)
    left, right = left.astype(float), right.astype(float)
    if axis == 0 and ends[0].ndim > 1:
        left, right = left.T, right.T
    lengths = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    cosine = (left * right).sum(-1) / np.maximum(lengths, 1e-300)
    if cosine.min() < -0.999:  # the two differ on purpose near opposite ends
        return np.inf
    return float(4 / np.maximum(1 - cosine**2, 1e-3).min())


def _slerp(base: np.ndarray, models: Sequence[np.ndarray], _given: Mapping[str, Any]) -> float:
    return _arc((base, models[0]))


def _nuslerp(
    base: np.ndarray | None, models: Sequence[np.ndarray], given: Mapping[str, Any]
) -> float:
    ends = models if base is None else [model - base for model in models]
    axis = None if given["nuslerp_flatten"] else 0 if given["nuslerp_row_wise"] else -1
    return _arc(ends, axis)


def _directions(ends: Sequence[np.ndarray]) -> list[np.ndarray]:
    flat = [end.reshape(-1).astype(float) for end in ends]
    return [end / max(np.linalg.norm(end), 1e-300) for end in flat]


def _multislerp(
    base: np.ndarray | None, models: Sequence[np.ndarray], given: Mapping[str, Any]
) -> float:
    """Directions that cancel leave a mean direction of noise."""
    units = _directions(models if base is None else oracles.deltas(base, models))
    size = sum(map(abs, given["weight"]))
    mean = np.linalg.norm(sum(w * u for w, u in zip(given["weight"], units, strict=True)))
    return 8 * (1 + size) * size / mean if mean > 1e-3 * size else np.inf


def _karcher(_base: np.ndarray, models: Sequence[np.ndarray], _given: Mapping[str, Any]) -> float:
    """The mean is well defined in a hemisphere; of close siblings mergekit's drifts."""
    cosines = [a @ b for a, b in combinations(_directions(models), 2)]
    close = any(1 - 1e-6 < cosine < 1 - 1e-15 for cosine in cosines)
    return np.inf if close or min(cosines, default=1) < 0 else 20


CONDITIONS = {
    "linear": _linear,
    "slerp": _slerp,
    "nuslerp": _nuslerp,
    "multislerp": _multislerp,
    "karcher": _karcher,
    "model_stock": lambda *_: 8,
    "ram": lambda *_: 4,
    "ramplus_tl": lambda *_: 4,
    "nearswap": lambda *_: 2,
    "passthrough": lambda *_: 1,
}
