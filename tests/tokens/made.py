"""Real tokenizers and tiny Llamas with them, made in the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

from tests.plan.parents import LLAMA, llama_shapes

CORPUS = ["the cat sat on the mat", "a merge of models", "tokens and rows and rows of tokens"]


def bpe(
    corpus: Sequence[str], size: int, special: Sequence[str] = (), added: Sequence[str] = ()
) -> Tokenizer:
    """A BPE tokenizer trained on a corpus; ``special`` come first, ``added`` last."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in added])
    return tokenizer


def write_llama(
    folder: Path, tokenizer: Tokenizer, *, seed: int, padding: int = 0, **config: Any
) -> dict[str, np.ndarray]:
    """A tiny Llama with random float32 weights, one embedding row a token and some of padding."""
    settings = LLAMA | {
        "num_hidden_layers": 2,
        "vocab_size": tokenizer.get_vocab_size() + padding,
        **config,
    }
    rng = np.random.default_rng(seed)
    head = not settings["tie_word_embeddings"]
    arrays = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in llama_shapes(settings, head=head).items()
    }
    folder.mkdir()
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"})
    )
    return arrays


def by_token(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Rows of a vocabulary tensor of a checkpoint, by what its own tokenizer calls them."""
    rows = load_file(folder / "model.safetensors")[name]
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return {token: rows[index] for token, index in ids.items()}
