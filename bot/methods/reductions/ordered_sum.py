"""Long sums in float64 in an order of their own, which vector instructions can follow.

NumPy's and BLAS's orders depend on version, layout and number of threads; this one is a definition.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LANES = 512
"""A power of two: lane k sums values k, k + 512, k + 1024, .. one after another."""


def lane_sum(values: npt.NDArray[np.float64]) -> float:
    """The sum of values of any shape: by lanes, and then of the lanes, halves upon each other."""
    flat = values.reshape(-1)
    lanes = np.zeros(LANES)
    for start in range(0, flat.size, LANES):
        step = flat[start : start + LANES]
        lanes[: step.size] += step
    while lanes.size > 1:
        half = lanes.size // 2
        lanes = lanes[:half] + lanes[half:]
    return float(lanes[0])
