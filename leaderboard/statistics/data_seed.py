"""Randomness that follows from the data, so that the same scores give the same p values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def generator(purpose: str, arrays: Iterable[NDArray[np.generic]]) -> np.random.Generator:
    """A generator seeded with the digest of what is tested and for which purpose."""
    digest = hashlib.sha256(purpose.encode())
    for array in arrays:
        digest.update(str(array.dtype).encode() + str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return np.random.Generator(np.random.Philox(int.from_bytes(digest.digest()[:16], "little")))
