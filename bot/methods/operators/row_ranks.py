"""The place of every element in its row, by magnitude."""

from __future__ import annotations

from typing import Any

import numpy as np

from bot.methods.core.method_input import Array


def row_ranks(magnitude: Array | Any) -> Array:
    """Ranks 0, 1, .. along the last axis, smallest first, equal ones by index; float32.

    Rows must be shorter than 2**24 elements for ranks to be exact in float32.
    """
    if not isinstance(magnitude, np.ndarray):  # on a device, where a sort costs little
        return np.argsort(np.argsort(magnitude, stable=True), stable=True).astype(np.float32)
    width = magnitude.shape[-1]
    index = np.arange(width, dtype=np.uint64)
    bits = np.ascontiguousarray(magnitude, np.float32).view(np.uint32).astype(np.uint64)
    keys = bits << np.uint64(32) | index  # no two are equal, so any sort gives the same order
    keys.sort(axis=-1)
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.intp)
    ranks = np.empty(magnitude.shape, np.float32)
    np.put_along_axis(ranks, order, index.astype(np.float32)[None], axis=-1)
    return ranks
