"""mergekit 0.1.5 as an oracle, and the rule by which we agree with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mergekit.merge_methods.api import merge_tensors

TOLERANCE = 1e-6
BOOLEANS = {"true": True, "false": False}


def theirs(
    method: str,
    base: np.ndarray | None,
    models: Sequence[np.ndarray],
    parameters: Mapping[str, Any],
) -> np.ndarray:
    """mergekit's merge of float32 arrays; ``base`` None where the method takes none."""
    tensors = [torch.from_numpy(np.array(model)) for model in models]
    if base is not None:
        tensors.insert(0, torch.from_numpy(np.array(base)))
    given = {
        name: BOOLEANS.get(value, value) if not isinstance(value, tuple) else list(value)
        for name, value in parameters.items()
    }
    index = None if base is None else 0
    found: np.ndarray = merge_tensors(tensors, method, parameters=given, base_index=index).numpy()
    return found


def assert_agree(
    ours: np.ndarray,
    peer: np.ndarray,
    size: float,
    condition: float | np.ndarray = 1.0,
    except_where: bool | np.ndarray = False,
) -> None:
    """Within 1e-6 of the inputs' size times the conditioning, wherever the decision is no tie."""
    assert ours.shape == peer.shape
    assert ours.dtype == np.float32
    excess = np.abs(ours.astype(float) - peer) - TOLERANCE * size * np.maximum(condition, 1)
    excess = np.where(except_where, -1, excess)
    assert np.all(excess <= 0), f"worst excess {np.max(excess):.3g}"


def size_of(base: np.ndarray | None, models: Sequence[np.ndarray]) -> float:
    """The largest magnitude among the inputs."""
    arrays = models if base is None else [base, *models]
    return max(float(np.max(np.abs(array), initial=0)) for array in arrays)
