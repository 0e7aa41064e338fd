"""What untrusted documents are fed to: each reads one as the program does, as far as it goes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import yaml
from hypothesis import strategies as st

from bot.checkpoint.header import header_length, parse_header
from bot.checkpoint.lora_config import CONFIG_FILE
from bot.checkpoint.lora_source import LoraSource
from bot.lineage.resolved_parent import read_card
from bot.methods.core.all_methods import catalogue
from bot.plan.parent_model import Parent
from bot.plan.planner import make_plan, make_plans
from bot.recipe.canonical import recipe_hash
from bot.recipe.load_recipe import parse_recipe
from bot.recipe.recipe import ModelRef
from bot.recipe.sweep import parse_sweep
from leaderboard.record import dump_record, parse_record
from tests.fuzz.mutations import damaged, written
from tests.leaderboard.samples import record_of
from tests.plan.parents import LLAMA, ArraySource, by_ref, llama
from tests.recipe.examples import EXAMPLES

LINEAR = """\
merge_method: linear
models:
  - {model: org/a, parameters: {weight: 0.5}}
  - {model: org/b, parameters: {weight: 0.5}}
"""
UNION = LINEAR + "tokenizer_source: union\n"


def words_of(*documents: Any) -> st.SearchStrategy[str]:
    """Every key and text of these documents."""
    found: dict[str, None] = {}
    waiting = list(documents)
    while waiting:
        match waiting.pop():
            case dict() as mapping:
                found.update(dict.fromkeys(map(str, mapping)))
                waiting += mapping.values()
            case list() as items:
                waiting += items
            case str() as text:
                found.setdefault(text)
    return st.sampled_from(sorted(found))


def read_recipe(data: bytes) -> None:
    variants = parse_sweep(data, "r.yaml")
    parents: dict[ModelRef, Parent] = {}
    for ref in variants[0].parsed.references():
        made = llama(ref.path)
        parents[ref] = Parent(key=f"p{len(parents)}", ref=ref, source=made.source)
    recipes = [variant.parsed for variant in variants]
    make_plans(recipes, parents, catalogue(), sweep_at=variants[0].sweep_at)
    assert parse_recipe(variants[-1].recipe.text, "r.yaml").merge_method
    assert recipe_hash(recipes[-1])


def read_header(data: bytes) -> None:
    length = header_length(len(data).to_bytes(8, "little"), 8 + len(data) + 64, "f")
    for name, extent in parse_header(data[:length], 8 + len(data) + 64, "f").items():
        assert name == extent.spec.name
        assert extent.stop <= 8 + len(data) + 64


def _planned(text: str, files: dict[str, bytes]) -> None:
    parents = by_ref(llama("org/a", files=files), llama("org/b"))
    make_plan(parse_recipe(text, "r.yaml"), parents, catalogue())


def read_config(data: bytes) -> None:
    for name in ("config.json", "generation_config.json", "preprocessor_config.json"):
        _planned(LINEAR, {name: data})


def read_tokenizer(data: bytes) -> None:
    tokenizer = json.dumps(TOKENIZER).encode()
    for name in ("tokenizer.json", "tokenizer_config.json", "added_tokens.json"):
        files = {"tokenizer.json": tokenizer, name: data}
        parents = by_ref(
            llama("org/a", files=files), llama("org/b", files={"tokenizer.json": tokenizer})
        )
        make_plan(parse_recipe(UNION, "r.yaml"), parents, catalogue())


def read_adapter(data: bytes) -> None:
    base = ArraySource({"q.weight": np.ones((4, 3)), "q.bias": np.ones(4)}, {}, "base")
    factors = {
        "base_model.model.q.lora_A.weight": np.ones((2, 3)),
        "base_model.model.q.lora_B.weight": np.ones((4, 2)),
    }
    source = LoraSource(base, ArraySource(factors, {CONFIG_FILE: data}, "adapter"), "adapter")
    out = bytearray(48)
    source.read_into("q.weight", 0, memoryview(out))


def read_model_card(data: bytes) -> None:
    read_card(data.decode("utf-8", "replace"))


def read_record(data: bytes) -> None:
    record = parse_record(data)
    assert parse_record(dump_record(record)) == record


TOKENIZER = {
    "version": "1.0",
    "added_tokens": [
        {"id": 4, "content": "<s>", "special": True, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False}
    ],
    "normalizer": None,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3}, "merges": ["a b"]},
}  # fmt: skip
TOKENIZER_CONFIG = {
    "added_tokens_decoder": {"4": {"content": "<s>", "special": True}},
    "bos_token": "<s>",
    "chat_template": [{"name": "default", "template": "{{ messages }}"}],
    "tokenizer_class": "PreTrainedTokenizerFast",
}
HEADER = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]},
    "b.weight": {"dtype": "BF16", "shape": [16], "data_offsets": [32, 64]},
}
CONFIG = LLAMA | {
    "rope_parameters": {"rope_theta": 1e4, "rope_type": "default"},
    "layer_types": ["full_attention"] * 4,
    "text_config": {"num_hidden_layers": 4},
    "eos_token_id": [1, 2],
}
ADAPTER = {
    "peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "fan_in_fan_out": False,
    "use_rslora": False, "alpha_pattern": {r"(k|q)\w*": 2}, "rank_pattern": {"q": 2},
    "init_lora_weights": True, "modules_to_save": None, "target_modules": ["q"],
}  # fmt: skip
CARD = {
    "license": "apache-2.0", "license_name": "x", "license_link": "https://x.org",
    "base_model": ["org/a", "org/b"], "base_model_relation": "merge", "tags": ["merge"],
    "language": ["en", "no"],
}  # fmt: skip


def _card(data: Any) -> bytes:
    text = yaml.safe_dump(data, allow_unicode=True)
    return f"---\n{text}---\n# A model\n".encode("utf-8", "surrogatepass")


def _recipe(data: Any) -> bytes:
    text: str = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    return text.encode("utf-8", "surrogatepass")


RECIPES = [yaml.safe_load(text) for text in EXAMPLES.values()]
RECORD = json.loads(dump_record(record_of("one")))

TARGETS = {
    "recipes": (
        read_recipe,
        written(
            st.sampled_from(RECIPES).flatmap(lambda one: damaged(one, words_of(*RECIPES))), _recipe
        ),
    ),
    "headers": (read_header, written(damaged(HEADER, words_of(HEADER)))),
    "configs": (read_config, written(damaged(CONFIG, words_of(CONFIG)))),
    "tokenizers": (
        read_tokenizer,
        written(
            st.sampled_from([TOKENIZER, TOKENIZER_CONFIG, {"<s>": 4}]).flatmap(
                lambda one: damaged(one, words_of(TOKENIZER, TOKENIZER_CONFIG))
            )
        ),
    ),
    "adapters": (read_adapter, written(damaged(ADAPTER, words_of(ADAPTER)))),
    "cards": (read_model_card, written(damaged(CARD, words_of(CARD)), _card)),
    "records": (read_record, written(damaged(RECORD, words_of(RECORD)))),
}
