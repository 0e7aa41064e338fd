"""Parents made of headers alone, and of small arrays, for tests of planning and tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.plan.parent_model import Parent
from bot.recipe.recipe import ModelRef


class HeaderSource:
    """A source that knows its header and side files; reading a tensor is a failure."""

    def __init__(
        self, tensors: Mapping[str, TensorSpec], files: Mapping[str, bytes], name: str = "id"
    ) -> None:
        self._tensors, self._files, self.id = tensors, files, name

    def tensors(self) -> Mapping[str, TensorSpec]:
        return self._tensors

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        raise AssertionError(f"planning read {name}")

    def file(self, path: str) -> bytes | None:
        return self._files.get(path)


class ArraySource(HeaderSource):
    """A source over float32 arrays in memory; counts the bytes read."""

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray[Any, Any]],
        files: Mapping[str, bytes] | None = None,
        name: str = "id",
    ) -> None:
        self.arrays = {key: np.ascontiguousarray(value, "<f4") for key, value in arrays.items()}
        super().__init__(
            {
                key: TensorSpec(name=key, dtype=Dtype.F32, shape=value.shape)
                for key, value in self.arrays.items()
            },
            files or {},
            name,
        )
        self.largest_read = 0

    def read_into(self, name: str, offset: int, out: memoryview) -> None:
        data = self.arrays[name].data.cast("B") if self.arrays[name].size else b""
        out[:] = data[offset : offset + out.nbytes]
        self.largest_read = max(self.largest_read, out.nbytes)


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 32,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "_name_or_path": "/somewhere",
}


def llama_shapes(config: Mapping[str, Any], *, head: bool = True) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama of that config, in the order Hugging Face writes them."""
    hidden, inner, vocab = (
        config["hidden_size"],
        config["intermediate_size"],
        config["vocab_size"],
    )
    narrow = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    block = {
        "input_layernorm.weight": (hidden,),
        "mlp.down_proj.weight": (hidden, inner),
        "mlp.gate_proj.weight": (inner, hidden),
        "mlp.up_proj.weight": (inner, hidden),
        "post_attention_layernorm.weight": (hidden,),
        "self_attn.k_proj.weight": (narrow, hidden),
        "self_attn.o_proj.weight": (hidden, hidden),
        "self_attn.q_proj.weight": (hidden, hidden),
        "self_attn.v_proj.weight": (narrow, hidden),
    }
    shapes: dict[str, tuple[int, ...]] = {"lm_head.weight": (vocab, hidden)} if head else {}
    shapes["model.embed_tokens.weight"] = (vocab, hidden)
    for index in sorted(range(config["num_hidden_layers"]), key=str):
        shapes |= {f"model.layers.{index}.{name}": shape for name, shape in block.items()}
    shapes["model.norm.weight"] = (hidden,)
    return shapes


def header(
    shapes: Mapping[str, tuple[int, ...]], dtype: Dtype = Dtype.F32
) -> dict[str, TensorSpec]:
    """Specs of one dtype."""
    return {name: TensorSpec(name=name, dtype=dtype, shape=shape) for name, shape in shapes.items()}


def llama(
    path: str,
    *,
    dtype: Dtype = Dtype.F32,
    head: bool = True,
    tensors: Mapping[str, TensorSpec] | None = None,
    files: Mapping[str, bytes] | None = None,
    **config: Any,
) -> Parent:
    """A Llama-shaped parent without weights; keywords change its config."""
    settings = LLAMA | config
    specs = header(llama_shapes(settings, head=head), dtype) | dict(tensors or {})
    side = {"config.json": json.dumps(settings).encode(), **(files or {})}
    return Parent(
        key=path.rsplit("/", 1)[-1],
        ref=ModelRef(path=path),
        source=HeaderSource(specs, side, f"digest of {path}"),
    )


def by_ref(*parents: Parent) -> dict[ModelRef, Parent]:
    """The mapping that planning takes."""
    return {parent.ref: parent for parent in parents}
