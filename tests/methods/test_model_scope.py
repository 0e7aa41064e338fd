"""``scope: model``, as the papers have it, through plan and engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.methods.oracles import deltas, elected, keep_ranks
from tests.parity.checkpoints import merge_ours, write_siblings


@pytest.mark.parametrize("coarse", [False, True], ids=["float32", "bf16-valued"])
@pytest.mark.parametrize("density", [0.0005, 0.2, 0.9])
def test_ties_trims_the_flattened_model(tmp_path: Path, coarse: bool, density: float) -> None:
    write_siblings(tmp_path, coarse=coarse)
    recipe = {
        "merge_method": "ties",
        "base_model": str(tmp_path / "base"),
        "models": [{"model": str(tmp_path / name)} for name in "abc"],
        "parameters": {"weight": 1.0, "density": density, "scope": "model"},
        "dtype": "float32",
    }
    _, inputs, merged = merge_ours(recipe, tmp_path)
    moved = [deltas(*inputs[name]) for name in merged]
    flat = [np.concatenate([part[model].reshape(-1) for part in moved]) for model in range(3)]
    kept = [keep_ranks(whole, 0, int(density * whole.size)) for whole in flat]
    base = np.concatenate([inputs[name][0].reshape(-1) for name in merged]).astype(float)
    expected = elected(base, kept, (1.0,) * 3, normalize=True, lambda_=1.0)
    ours = np.concatenate([tensor.reshape(-1) for tensor in merged.values()])
    assert np.allclose(np.where(expected.close, expected.value, ours), expected.value, atol=2e-6)
    assert expected.close.mean() < 0.05
