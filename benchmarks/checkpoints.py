"""Synthetic Llama-shaped bf16 checkpoints: a base and fine-tunes a small step away from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from bot.checkpoint.folder_sink import FolderSink
from bot.checkpoint.tensor_spec import Dtype, TensorSpec

MODELS = ("base", "first", "second", "third", "fourth", "fifth")
CHUNK = 1 << 22


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama; named after its parameters, or after what it is for."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool = False


SHAPES = {
    "start-up": Shape(1024, 1536, 1, 8, 8, 256),  # just large enough for compiled kernels
    "20M": Shape(384, 1024, 8, 6, 2, 8000),
    "100M": Shape(768, 2048, 12, 12, 4, 16000),
    "1.1B": Shape(2048, 5632, 22, 32, 4, 32000),
    "3B": Shape(3072, 8192, 28, 24, 8, 32000),
    "one tensor of 2 GB": Shape(2048, 2048, 1, 16, 16, 524_288, tied=True),
}


def tensors(shape: Shape) -> list[TensorSpec]:
    """Names and shapes of a Llama's weights."""

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
    found.append(spec("model.norm.weight", shape.hidden))
    return found if shape.tied else [*found, spec("lm_head.weight", shape.vocabulary, shape.hidden)]


def parameters(size: str) -> int:
    """How many weights a size has."""
    return sum(spec.elements for spec in tensors(SHAPES[size]))


def nbytes(size: str) -> int:
    """How many bytes of weights a size has."""
    return sum(spec.nbytes for spec in tensors(SHAPES[size]))


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
            "tie_word_embeddings": shape.tied,
            "torch_dtype": "bfloat16",
        },
        indent=1,
    ).encode()


def build(folder: Path, size: str, fine_tunes: int = 2, *, distinct: bool = True) -> Path:
    """Make the base and its fine-tunes once; returns the folder that holds them.

    Without ``distinct`` one chunk of values is repeated through a model: quick, for sizes where
    only the bytes matter.
    """
    shape = SHAPES[size]
    place = folder / size.replace(" ", "-")
    for index, name in enumerate(MODELS[: fine_tunes + 1]):
        if not (place / name).is_dir():
            _write(place / name, shape, index, distinct)
    return place


def _write(path: Path, shape: Shape, model: int, distinct: bool) -> None:
    specs = tensors(shape)
    sink = FolderSink(path, shard_bytes=5_000_000_000)
    sink.begin(specs, f"synthetic-{model}")
    for number, spec in enumerate(specs):
        offset = 0
        for piece in _values(spec, number, model) if distinct else _repeated(spec, model):
            data = memoryview(piece.tobytes())
            sink.write(spec.name, offset, data)
            offset += data.nbytes
        sink.finish(spec.name, "synthetic")
    sink.commit({"config.json": config(shape)})


def _values(spec: TensorSpec, number: int, model: int) -> Iterator[np.ndarray]:
    base = np.random.Generator(np.random.SFC64([number, 0]))
    step = np.random.Generator(np.random.SFC64([number, model]))
    for start in range(0, spec.elements, CHUNK):
        yield _chunk(base, step if model else None, min(CHUNK, spec.elements - start))


def _repeated(spec: TensorSpec, model: int) -> Iterator[np.ndarray]:
    chunk = _first_chunk(model)
    for start in range(0, spec.elements, CHUNK):
        yield chunk[: spec.elements - start]


@lru_cache(maxsize=1)
def _first_chunk(model: int) -> np.ndarray:
    base, step = (np.random.Generator(np.random.SFC64([0, seed])) for seed in (0, model))
    return _chunk(base, step if model else None, CHUNK)


def _chunk(base: np.random.Generator, step: np.random.Generator | None, count: int) -> np.ndarray:
    """bf16 bit patterns: normal base weights, fine-tunes a step of a tenth beside them."""
    values = base.standard_normal(count, dtype=np.float32) * np.float32(0.02)
    if step is not None:
        values += step.standard_normal(count, dtype=np.float32) * np.float32(0.002)
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
