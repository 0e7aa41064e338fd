"""The live part of ``mergebot doctor``: a one-megabyte merge to a real Hub and back."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from bot.events import silent
from bot.hub.client import Hub
from bot.hub.round_trip import Step, round_trip
from bot.pipeline.engine_options import EngineOptions
from bot.pipeline.merge_recipe import merge_into_folder
from bot.recipe.load_recipe import parse_recipe

RECIPE = """name: round-trip
license: cc0-1.0
merge_method: linear
models:
  - model: ./one
    parameters: {weight: 0.5}
  - model: ./two
    parameters: {weight: 0.5}
dtype: float32
"""
HIDDEN, VOCABULARY = 64, 2048


def examine_live(hub: Hub) -> Iterator[Step]:
    """Make a merge of two small random models, then push it, read it back and delete it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed, parent in enumerate(("one", "two")):
            _random_model(folder / parent, seed)
        recipe = parse_recipe(RECIPE, str(folder / "recipe.yaml"))
        merge_into_folder(recipe, folder / "merge", EngineOptions(threads=1), silent)
        yield from round_trip(hub, folder / "merge")


def _random_model(folder: Path, seed: int) -> None:
    """A model of one layer and a megabyte: enough shape to be planned, none to be useful."""
    folder.mkdir()
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": False,
    }
    random = np.random.default_rng(seed)
    square, flat, wide = (HIDDEN, HIDDEN), (HIDDEN,), (VOCABULARY, HIDDEN)
    layer = "model.layers.0"
    shapes = {
        "model.embed_tokens.weight": wide,
        **{f"{layer}.self_attn.{part}_proj.weight": square for part in "qkvo"},
        **{f"{layer}.mlp.{part}_proj.weight": square for part in ("gate", "up", "down")},
        f"{layer}.input_layernorm.weight": flat,
        f"{layer}.post_attention_layernorm.weight": flat,
        "model.norm.weight": flat,
        "lm_head.weight": wide,
    }
    tensors = {
        key: random.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
