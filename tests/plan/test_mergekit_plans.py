"""Slices, gradients, filters and precedence against mergekit on tiny Llamas, tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.plan.merging import ours, theirs
from tests.tokens.made import CORPUS, bpe, write_llama


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    tokenizer = bpe(CORPUS, 40)
    for seed, name in enumerate("abc"):
        write_llama(root / name, tokenizer, seed=seed, num_hidden_layers=6)
    return root


def source(root: Path, name: str, start: int, stop: int, **parameters: Any) -> dict[str, Any]:
    entry = {"model": str(root / name), "layer_range": [start, stop]}
    return entry | ({"parameters": parameters} if parameters else {})


def gradients(root: Path) -> dict[str, Any]:
    return {
        "merge_method": "linear",
        "models": [
            {"model": str(root / "a"), "parameters": {"weight": [0.0, 0.9, 0.3]}},
            {
                "model": str(root / "b"),
                "parameters": {
                    "weight": [
                        {"filter": "self_attn", "value": [1.0, 0.25]},
                        {"filter": "layers.3.", "value": 0.7},
                        {"value": 0.5},
                    ]
                },
            },
        ],
        "parameters": {"normalize": False},
    }


def stack(root: Path) -> dict[str, Any]:
    return {
        "merge_method": "passthrough",
        "slices": [
            {"sources": [source(root, "a", 0, 3)]},
            {"sources": [source(root, "b", 1, 5)]},
            {"sources": [source(root, "c", 4, 6, scale=[{"filter": "o_proj", "value": 0.5}])]},
        ],
    }


def slerp_slices(root: Path) -> dict[str, Any]:
    return {
        "merge_method": "slerp",
        "base_model": str(root / "a"),
        "slices": [
            {
                "sources": [source(root, "a", 0, 4), source(root, "b", 1, 5)],
                "parameters": {"t": [{"filter": "mlp", "value": [0, 1]}, {"value": 0.25}]},
            },
            {"sources": [source(root, "b", 5, 6), source(root, "a", 5, 6)]},
        ],
        "parameters": {"t": [0.1, 0.8]},
    }


def ties_slices(root: Path) -> dict[str, Any]:
    return {
        "merge_method": "ties",
        "base_model": str(root / "c"),
        "slices": [
            {
                "sources": [
                    source(root, "a", 0, 3, weight=[0.2, 1.0], density=0.6),
                    source(root, "c", 0, 3),
                    source(root, "b", 3, 6, weight=0.4),
                ],
                "parameters": {"density": [0.3, 0.9], "weight": 7.0},
            }
        ],
        "parameters": {"lambda": 0.5, "density": 0.1},
    }


def task_arithmetic_models(root: Path) -> dict[str, Any]:
    return {
        "merge_method": "task_arithmetic",
        "base_model": str(root / "c"),
        "models": [
            {"model": str(root / "a"), "parameters": {"weight": [0.2, 1.0, 0.1, 0.4]}},
            {"model": str(root / "b")},
        ],
        "parameters": {"weight": [{"filter": "norm", "value": 0.9}, {"value": [0.1, 0.2]}]},
    }


def zero_slice(root: Path) -> dict[str, Any]:
    """A last slice of no layers says whose final norm and head the output has."""
    return {
        "merge_method": "linear",
        "slices": [
            {"sources": [source(root, "a", 0, 6, weight=0.5), source(root, "b", 0, 6, weight=0.5)]},
            {"sources": [source(root, "c", 6, 6, weight=1.0)]},
        ],
    }


CASES = [gradients, stack, slerp_slices, ties_slices, task_arithmetic_models, zero_slice]


@pytest.mark.parametrize("make", CASES)
def test_every_tensor_is_mergekits(
    folders: Path, tmp_path: Path, make: Callable[[Path], dict[str, Any]]
) -> None:
    recipe = {**make(folders), "dtype": "float32"}
    theirs(recipe, tmp_path / "peer")
    plan, merged = ours(recipe, tmp_path)
    peer = load_file(tmp_path / "peer" / "model.safetensors")
    assert set(merged) == set(peer)
    for name, tensor in peer.items():
        np.testing.assert_allclose(merged[name], tensor, rtol=2e-5, atol=1e-5, err_msg=name)
    config = json.loads(plan.files["config.json"])
    wanted = json.loads((tmp_path / "peer/config.json").read_text())
    assert config["num_hidden_layers"] == wanted["num_hidden_layers"]
    assert config["vocab_size"] == wanted["vocab_size"]
