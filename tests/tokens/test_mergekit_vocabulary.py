"""Union, base and model vocabularies against mergekit, token by token, on real tokenizers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests.plan.merging import ours, theirs
from tests.tokens.made import CORPUS, bpe, by_token, write_llama

TOKENS = ("model.embed_tokens.weight", "lm_head.weight")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    base = bpe(CORPUS[:2], 40, special=["<s>", "</s>"])
    left = bpe(CORPUS[:2], 40, special=["<s>", "</s>"], added=["<left>", "<both>"])
    right = bpe(CORPUS[1:], 44, special=["</s>", "<s>"], added=["<both>", "<right>"])
    write_llama(root / "base", base, seed=1)
    write_llama(root / "left", left, seed=2)
    write_llama(root / "right", right, seed=3)
    write_llama(root / "tied", left, seed=4, tie_word_embeddings=True)
    return root


def recipe(root: Path, **extra: Any) -> dict[str, Any]:
    return {
        "merge_method": "linear",
        "base_model": str(root / "base"),
        "dtype": "float32",
        "models": [
            {"model": str(root / "base"), "parameters": {"weight": 0.5}},
            {"model": str(root / "left"), "parameters": {"weight": 0.3}},
            {"model": str(root / "right"), "parameters": {"weight": 0.2}},
        ],
        **extra,
    }


def token(root: Path, model: str, text: str) -> dict[str, Any]:
    return {"kind": "model_token", "model": str(root / model), "token": text}


CHOICES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "union": lambda root: {"tokenizer_source": "union"},
    "base": lambda root: {"tokenizer_source": "base"},
    "model": lambda root: {"tokenizer_source": str(root / "right")},
    "padded": lambda root: {"tokenizer": {"source": "union", "pad_to_multiple_of": 64}},
    "rules": lambda root: {
        "tokenizer": {
            "source": "union",
            "tokens": {
                "<both>": {"source": str(root / "left")},
                "<right>": {"source": token(root, "base", "<s>")},
                "<s>": {"source": str(root / "right"), "force": True},
                "<new>": {"source": {**token(root, "left", "<left>")}},
            },
        }
    },
    "no base": lambda root: {
        "tokenizer_source": "union",
        "base_model": None,
        "models": recipe(root)["models"][1:],
    },
    "stack": lambda root: {
        "merge_method": "passthrough",
        "tokenizer_source": "union",
        "models": None,
        "slices": [
            {"sources": [{"model": str(root / "base"), "layer_range": [0, 2]}]},
            {"sources": [{"model": str(root / "right"), "layer_range": [1, 2]}]},
        ],
    },
    "task vectors": lambda root: {
        "merge_method": "task_arithmetic",
        "tokenizer_source": "union",
        "models": recipe(root)["models"][1:],
    },
    "tied head": lambda root: {
        "tokenizer_source": "union",
        "models": [
            *recipe(root)["models"][:1],
            {"model": str(root / "tied"), "parameters": {"weight": 0.5}},
        ],
    },
}


@pytest.mark.parametrize("choice", CHOICES)
def test_embeddings_are_mergekits_token_by_token(
    folders: Path, tmp_path: Path, choice: str
) -> None:
    wanted = {k: v for k, v in (recipe(folders) | CHOICES[choice](folders)).items() if v}
    if choice == "no base":  # mergekit's order of models without a base depends on the hash seed
        wanted["models"][0]["parameters"]["weight"] = 0.5
    theirs(wanted, tmp_path / "peer")
    plan, merged = ours(wanted, tmp_path)
    ids = Tokenizer.from_str(plan.files["tokenizer.json"].decode()).get_vocab()
    for name in TOKENS:
        peer = by_token(tmp_path / "peer", name)
        assert set(ids) == set(peer)
        assert merged[name].shape == load_file(tmp_path / "peer/model.safetensors")[name].shape
        for text, row in peer.items():
            np.testing.assert_allclose(merged[name][ids[text]], row, rtol=0, atol=3e-6)
    config = json.loads(plan.files["config.json"])
    assert config["vocab_size"] == len(merged[TOKENS[0]])
    padding = load_file(tmp_path / "peer/model.safetensors")[TOKENS[0]][len(ids) :]
    np.testing.assert_allclose(merged[TOKENS[0]][len(ids) :], padding, rtol=0, atol=3e-6)
