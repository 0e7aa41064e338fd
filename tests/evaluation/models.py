"""Tiny random Llamas with a character tokenizer, written without loading torch in the test.

The files are made by numpy and the tokenizers library, so that a test pays for torch only in the
child process it is about.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, processors

SPECIAL = ("<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>")
CHARACTERS = "\n" + "".join(map(chr, range(0x20, 0x7F)))
BYTES = [f"<0x{b:02X}>" for b in range(256) if chr(b) not in CHARACTERS]
VOCABULARY = {token: number for number, token in enumerate([*SPECIAL, *CHARACTERS, *BYTES])}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|user|>' if m.role == 'user' else '<|assistant|>' }}{{ m.content }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
HIDDEN, LAYERS, WIDE = 16, 2, 32


def weights(seed: int) -> dict[str, np.ndarray]:
    """A Llama's float32 tensors; norms are one, the rest normal with scale 0.3."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(scale=0.3, size=shape).astype(np.float32)

    tensors = {
        "model.embed_tokens.weight": normal(len(VOCABULARY), HIDDEN),
        "model.norm.weight": np.ones(HIDDEN, np.float32),
        "lm_head.weight": normal(len(VOCABULARY), HIDDEN),
    }
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name in "qkvo":
            tensors[f"{prefix}self_attn.{name}_proj.weight"] = normal(HIDDEN, HIDDEN)
        tensors[f"{prefix}mlp.gate_proj.weight"] = normal(WIDE, HIDDEN)
        tensors[f"{prefix}mlp.up_proj.weight"] = normal(WIDE, HIDDEN)
        tensors[f"{prefix}mlp.down_proj.weight"] = normal(HIDDEN, WIDE)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{prefix}{norm}.weight"] = np.ones(HIDDEN, np.float32)
    return tensors


def config(*, context: int = 8192) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32",
        "vocab_size": len(VOCABULARY), "hidden_size": HIDDEN, "intermediate_size": WIDE,
        "num_hidden_layers": LAYERS, "num_attention_heads": 2, "num_key_value_heads": 2,
        "max_position_embeddings": context, "rms_norm_eps": 1e-6, "hidden_act": "silu",
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip


def tokenizer() -> Tokenizer:
    """One token per character, bytes for the rest, ``<s>`` in front."""
    made = Tokenizer(models.BPE(vocab=VOCABULARY, merges=[], byte_fallback=True))
    made.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", VOCABULARY["<s>"])]
    )
    return made


def write_model(
    folder: Path, *, seed: int = 0, template: str | None = None, context: int = 8192,
    tensors: dict[str, np.ndarray] | None = None,
) -> Path:  # fmt: skip
    """A whole model folder."""
    folder.mkdir(parents=True)
    save_file(tensors or weights(seed), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(context=context)))
    tokenizer().save(str(folder / "tokenizer.json"))
    special: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
        "pad_token": "<pad>", "model_max_length": context, "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder
