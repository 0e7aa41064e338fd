"""Elementwise methods give the same bytes on a lesser processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

DIGESTS = """
import json
from bot.checkpoint.memory_checkpoint import MemorySink
from bot.checkpoint.tensor_spec import Dtype
from bot.engine.execute import execute
from tests.engine.plans import plan_for
from tests.engine.test_kernels import CASES, NEVER, parents
import sys

sources = parents(Dtype.BF16)
fuse_from = int(sys.argv[1])
print(json.dumps([
    execute(plan_for(sources, method, parameters, base=base, dtype=Dtype.BF16), sources,
            MemorySink(), threads=1, fuse_from=fuse_from)
    for method, parameters, base in CASES[:: int(sys.argv[2])]
]))
"""


def digests(fuse_from: int, every: int, **environment: str) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", DIGESTS, str(fuse_from), str(every)],
        env={**os.environ, **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return list(json.loads(finished.stdout))


def dispatched() -> Iterator[str]:
    """What NumPy found on this processor beyond what it was built for."""
    found = np.show_config("dicts")
    assert found is not None
    yield from found["SIMD Extensions"].get("found", [])


def test_plain_definitions_on_a_lesser_processor() -> None:
    never = 1 << 60
    features = " ".join(dispatched())
    assert digests(never, 3, NPY_DISABLE_CPU_FEATURES=features) == digests(never, 3)


@pytest.mark.slow
def test_kernels_on_a_lesser_processor() -> None:
    lesser = digests(0, 1, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert lesser == digests(0, 1)
