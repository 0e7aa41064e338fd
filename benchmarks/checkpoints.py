"""Synthetic Llama-shaped bf16 checkpoints: a base and fine-tunes a small step away from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.tensor import Dtype, TensorSpec

MODELS = ("base", "first", "second")
CHUNK = 1 << 22


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama; ``100M`` and ``1.1B`` are named after their parameter counts."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int


SHAPES = {
    "20M": Shape(384, 1024, 8, 6, 2, 8000),
    "100M": Shape(768, 2048, 12, 12, 4, 16000),
    "1.1B": Shape(2048, 5632, 22, 32, 4, 32000),
    "3B": Shape(3072, 8192, 26, 24, 8, 32000),
}


def tensors(shape: Shape) -> list[TensorSpec]:
    """Names and shapes of a Llama's weights, untied."""

    def spec(name: str, *size: int) -> TensorSpec:
        return TensorSpec(name=name, dtype=Dtype.BF16, shape=size)

    key_value = shape.hidden // shape.heads * shape.kv_heads
    found = [spec("model.embed_tokens.weight", shape.vocabulary, shape.hidden)]
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        found += [
            spec(f"{at}.input_layernorm.weight", shape.hidden),
            spec(f"{at}.mlp.down_proj.weight", shape.hidden, shape.intermediate),
            spec(f"{at}.mlp.gate_proj.weight", shape.intermediate, shape.hidden),
            spec(f"{at}.mlp.up_proj.weight", shape.intermediate, shape.hidden),
            spec(f"{at}.post_attention_layernorm.weight", shape.hidden),
            spec(f"{at}.self_attn.k_proj.weight", key_value, shape.hidden),
            spec(f"{at}.self_attn.o_proj.weight", shape.hidden, shape.hidden),
            spec(f"{at}.self_attn.q_proj.weight", shape.hidden, shape.hidden),
            spec(f"{at}.self_attn.v_proj.weight", key_value, shape.hidden),
        ]
    return [
        *found,
        spec("model.norm.weight", shape.hidden),
        spec("lm_head.weight", shape.vocabulary, shape.hidden),
    ]


def config(shape: Shape) -> bytes:
    """The ``config.json`` of that Llama."""
    return json.dumps(
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.intermediate,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
        indent=1,
    ).encode()


def build(folder: Path, size: str) -> Path:
    """Make the base and its two fine-tunes once; returns the folder that holds them."""
    shape = SHAPES[size]
    place = folder / size
    for index, name in enumerate(MODELS):
        if not (place / name).is_dir():
            _write(place / name, shape, index)
    return place


def _write(path: Path, shape: Shape, model: int) -> None:
    specs = tensors(shape)
    sink = FolderSink(path, shard_bytes=5_000_000_000)
    sink.begin(specs, f"synthetic-{model}")
    for number, spec in enumerate(specs):
        offset = 0
        for piece in _values(spec, number, model):
            data = memoryview(piece.tobytes())
            sink.write(spec.name, offset, data)
            offset += data.nbytes
        sink.finish(spec.name, "synthetic")
    sink.commit({"config.json": config(shape)})


def _values(spec: TensorSpec, number: int, model: int) -> Iterator[np.ndarray]:
    """bf16 bit patterns: normal base weights, fine-tunes a step of a tenth beside them."""
    base = np.random.Generator(np.random.SFC64([number, 0]))
    step = np.random.Generator(np.random.SFC64([number, model]))
    for start in range(0, spec.elements, CHUNK):
        count = min(CHUNK, spec.elements - start)
        values = base.standard_normal(count, dtype=np.float32) * np.float32(0.02)
        if model:
            values += step.standard_normal(count, dtype=np.float32) * np.float32(0.002)
        bits = values.view(np.uint32)
        yield ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
